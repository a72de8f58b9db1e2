CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE local_server (
	id TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE machines (
	id TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	reached TEXT NOT NULL, 
	firmware TEXT NOT NULL, 
	arch TEXT, 
	uuid TEXT, 
	serial TEXT NOT NULL, 
	manufacturer TEXT NOT NULL, 
	product TEXT NOT NULL, 
	address TEXT, 
	first_seen TEXT NOT NULL, 
	last_seen TEXT NOT NULL, 
	server_id TEXT NOT NULL, furthest TEXT DEFAULT 'discover' NOT NULL, board TEXT DEFAULT '' NOT NULL, phase TEXT DEFAULT 'discovered' NOT NULL, intent TEXT DEFAULT 'boot' NOT NULL, intent_by TEXT DEFAULT '' NOT NULL, intent_why TEXT DEFAULT '' NOT NULL, "conflict" TEXT DEFAULT '' NOT NULL, claimed TEXT DEFAULT '' NOT NULL, apart TEXT DEFAULT '' NOT NULL, attempt_chain TEXT DEFAULT '' NOT NULL, attempt_best TEXT DEFAULT 'discover' NOT NULL, attempt_starts TEXT DEFAULT '' NOT NULL, attempt_boot INTEGER DEFAULT '0' NOT NULL, unsure TEXT DEFAULT '' NOT NULL, intent_wipes INTEGER DEFAULT '0' NOT NULL, inspection TEXT DEFAULT '' NOT NULL, reported_start TEXT DEFAULT '' NOT NULL, reported_boot INTEGER DEFAULT '0' NOT NULL, reported_faults TEXT DEFAULT '' NOT NULL, clean_up TEXT DEFAULT '' NOT NULL, seed_boot INTEGER DEFAULT '0' NOT NULL, seed_spent INTEGER DEFAULT '0' NOT NULL, reported_node TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE interfaces (
	mac TEXT NOT NULL, 
	machine_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	server_id TEXT NOT NULL, 
	PRIMARY KEY (mac), 
	FOREIGN KEY(machine_id) REFERENCES machines (id) ON DELETE CASCADE
);
CREATE INDEX interfaces_of_machine ON interfaces (machine_id);
CREATE TABLE boots (
	machine_id TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	started_at TEXT NOT NULL, 
	last_event_at TEXT NOT NULL, 
	reached TEXT NOT NULL, 
	server_id TEXT NOT NULL, 
	PRIMARY KEY (machine_id, generation), 
	FOREIGN KEY(machine_id) REFERENCES machines (id) ON DELETE CASCADE
);
CREATE TABLE boot_events (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	machine_id TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	stage TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	bytes INTEGER NOT NULL, 
	milliseconds FLOAT NOT NULL, 
	server_id TEXT NOT NULL, cause TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(machine_id, generation) REFERENCES boots (machine_id, generation) ON DELETE CASCADE
);
CREATE INDEX boot_events_of_boot ON boot_events (machine_id, generation);
CREATE TABLE assignments (
	name TEXT NOT NULL, 
	layer TEXT NOT NULL, 
	role TEXT NOT NULL, 
	machine_id TEXT, 
	rule TEXT NOT NULL, 
	assigned_at TEXT NOT NULL, 
	server_id TEXT NOT NULL, 
	PRIMARY KEY (layer, name), 
	UNIQUE (machine_id), 
	FOREIGN KEY(machine_id) REFERENCES machines (id) ON DELETE SET NULL
);
CREATE TABLE enrolment_window (
	id INTEGER NOT NULL CONSTRAINT one_window CHECK (id = 1), 
	remaining FLOAT NOT NULL, 
	ends_at TEXT NOT NULL, 
	opened_by TEXT NOT NULL, 
	server_id TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE VIEW machine_overview AS
SELECT
    coalesce(a.name, '') AS name,
    coalesce(a.layer, '') AS layer,
    coalesce(a.role, '') AS role,
    m.phase AS phase,
    CASE
        WHEN m.intent = 'boot' THEN 'boot'
        WHEN m.intent_why = '' THEN m.intent || ' (' || m.intent_by || ')'
        ELSE m.intent || ' (' || m.intent_by || ': ' || m.intent_why || ')'
    END AS intent,
    CASE WHEN length(m.conflict) > 40 THEN substr(m.conflict, 1, 39) || '…' ELSE m.conflict END AS conflict,
    (SELECT group_concat(mac, ' ')
        FROM (SELECT mac FROM interfaces WHERE machine_id = m.id ORDER BY position)) AS macs,
    coalesce(m.address, '') AS address,
    substr(trim(m.manufacturer || ' ' || m.product), 1, 30) AS make,
    m.serial AS serial,
    m.generation AS boots,
    m.reached AS reached,
    substr(m.last_seen, 1, 19) || 'Z' AS last_seen,
    m.furthest AS furthest,
    coalesce(m.arch, '') AS arch,
    m.firmware AS firmware,
    m.board AS board,
    substr(b.started_at, 1, 19) || 'Z' AS last_boot,
    substr(m.first_seen, 1, 19) || 'Z' AS first_seen,
    coalesce(m.uuid, '') AS uuid,
    m.id AS id
FROM machines AS m
LEFT JOIN assignments AS a ON a.machine_id = m.id
LEFT JOIN boots AS b ON b.machine_id = m.id AND b.generation = m.generation
ORDER BY a.name IS NULL, a.layer, a.name, m.last_seen DESC;
CREATE VIEW boot_timeline AS
SELECT
    coalesce(
        (SELECT name FROM assignments WHERE machine_id = e.machine_id),
        (SELECT mac FROM interfaces WHERE machine_id = e.machine_id ORDER BY position LIMIT 1)
    ) AS machine,
    e.generation AS boot,
    round((julianday(e.at) - julianday(b.started_at)) * 86400, 1) AS seconds,
    e.stage AS stage,
    CASE WHEN e.stage IN ('kernel', 'initramfs')
        THEN replace(e.detail, rtrim(e.detail, replace(e.detail, '/', '')), '')
        ELSE e.detail
    END AS detail,
    e.bytes AS bytes,
    round(e.milliseconds, 1) AS ms,
    e.cause AS cause,
    e.at AS at,
    (SELECT mac FROM interfaces WHERE machine_id = e.machine_id ORDER BY position LIMIT 1) AS mac,
    e.machine_id AS machine_id
FROM boot_events AS e
JOIN boots AS b ON b.machine_id = e.machine_id AND b.generation = e.generation
ORDER BY e.id;
CREATE TABLE commits (
	id INTEGER NOT NULL, 
	commit_id TEXT NOT NULL, 
	at TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	author TEXT NOT NULL, 
	committed_at TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	rewritten INTEGER NOT NULL, 
	server_id TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE commit_changes (
	id INTEGER NOT NULL, 
	commit_row INTEGER NOT NULL, 
	machine TEXT NOT NULL, 
	change TEXT NOT NULL, 
	server_id TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(commit_row) REFERENCES commits (id) ON DELETE CASCADE
);
CREATE INDEX commit_changes_of_commit ON commit_changes (commit_row);
CREATE VIEW fleet_history AS
SELECT
    substr(c.at, 1, 19) || 'Z' AS at,
    substr(c.commit_id, 1, 12) AS "commit",
    c.outcome || CASE WHEN c.rewritten THEN ' (rewritten)' ELSE '' END AS outcome,
    c.author AS author,
    c.subject AS subject,
    coalesce(d.machine, '') AS machine,
    coalesce(d.change, c.problem) AS change
FROM commits AS c
LEFT JOIN commit_changes AS d ON d.commit_row = c.id
ORDER BY c.id, d.id;
