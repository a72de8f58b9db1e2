"""Longhorn gets its backup target, its Secret and its jobs, against a strict stand-in for the API server."""

from pathlib import Path

import pytest
from support.founded_clusters import FoundedClusters, founded_clusters
from support.waiting import until

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.kubernetes.longhorn_backup import credentials_of

FILE = "secrets/longhorn.yaml"
KEYS = 'AWS_ACCESS_KEY_ID: "backup"\nAWS_SECRET_ACCESS_KEY: "7f1a"\nAWS_ENDPOINTS: "https://nas:9000"\n'
BACKUP = f"""\
domain: home.arpa
backup:
  longhorn:
    target: s3://volumes@home/
    credentials: {FILE}
    jobs:
      nightly: {{cron: "0 3 * * *", retain: 14}}
      trim: {{task: filesystem-trim, cron: "0 4 * * 7"}}
"""
NONE = "domain: home.arpa\n"
TARGET = ("BackupTarget", "default")
SECRET = ("Secret", "iluvatar-backup")


def install_longhorn(site: FoundedClusters) -> None:
    """Longhorn makes its target by itself."""
    spec = {"backupTargetURL": "", "credentialSecret": "", "pollInterval": "5m0s"}
    site.ainur.objects[TARGET] = {
        "metadata": {"name": "default", "namespace": "longhorn-system"},
        "spec": spec,
    }
    site.ainur.namespaces.add("longhorn-system")
    site.ainur.groups.add("longhorn.io/v1beta2")


async def test_the_fleet_says_where_longhorn_copies_volumes_and_when(tmp_path: Path) -> None:
    async with founded_clusters(tmp_path, BACKUP, **{FILE: KEYS}) as site:
        await until(lambda: "api.arda" not in site.line("ainur") and bool(site.line("ainur")))
        assert site.ainur.objects == {}, "there is no Longhorn yet"
        install_longhorn(site)
        theirs = {"metadata": {"name": "weekly"}, "spec": {}}
        site.ainur.objects["RecurringJob", "weekly"] = theirs
        await until(lambda: ("RecurringJob", "trim") in site.ainur.objects)
        spec = site.ainur.objects[TARGET]["spec"]
        assert (spec["backupTargetURL"], spec["credentialSecret"]) == ("s3://volumes@home/", SECRET[1])
        assert spec["pollInterval"] == "5m0s", "Longhorn's own field stays"
        assert site.ainur.objects[SECRET]["data"].keys() == {
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ENDPOINTS",
        }
        job = site.ainur.objects["RecurringJob", "nightly"]["spec"]
        assert (job["task"], job["retain"], job["groups"]) == ("backup", 14, ["default"])

        asked = len(site.ainur.asked)
        await site.push({"fleet.yaml": BACKUP.replace("retain: 14", "retain: 2")})
        await until(lambda: site.ainur.objects["RecurringJob", "nightly"]["spec"]["retain"] == 2)
        assert site.ainur.asked[asked:] == ["PATCH RecurringJob nightly"], "only that is applied"

        await site.push({"fleet.yaml": NONE})
        await until(lambda: SECRET not in site.ainur.objects)
        assert site.ainur.objects[TARGET]["spec"]["backupTargetURL"] == ""
        assert {name for kind, name in site.ainur.objects if kind == "RecurringJob"} == {"weekly"}


async def test_credentials_that_cannot_be_used_are_told_without_their_contents(tmp_path: Path) -> None:
    async with founded_clusters(tmp_path, BACKUP, **{FILE: "AWS_SECRET_ACCESS_KEY 7f1a\n"}) as site:
        install_longhorn(site)
        await until(lambda: f"ainur: {FILE}: write a mapping of texts" in site.line("ainur"))
        assert "7f1a" not in site.line("ainur")
        assert site.ainur.objects.keys() == {TARGET}


@pytest.mark.parametrize("text", ["", "- a\n", "a: {b: c}\n", "a: ''\n", "a: b\n---\nc: d\n", "a: [\n"])
def test_a_file_that_is_no_mapping_of_texts_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"secrets/x: write a mapping of texts"):
        credentials_of("secrets/x", text)


def test_a_file_that_is_sealed_to_others_names_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match="fleet recover --key FILE"):
        credentials_of(
            "secrets/x", "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n"
        )
