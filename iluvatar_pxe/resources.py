"""Where the project's data files lie: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

DATA_DIRECTORIES = ("boot_assets", "migrations", "systemd")
LOCK = "requirements.lock"
_PACKAGE = Path(__file__).parent


def data_directory(name: str) -> Path:
    """Return one of ``DATA_DIRECTORIES``."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def requirements_lock() -> Path:
    """Return the file that pins the Python packages the daemon needs, with their checksums."""
    installed = _PACKAGE / "_data" / LOCK
    return installed if installed.is_file() else _PACKAGE.parent / LOCK


def read_templates(name: str) -> dict[str, str]:
    """Return the templates in ``boot_assets/NAME`` by file name; blocks. Raises OSError."""
    directory = data_directory("boot_assets") / name
    return {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}


def read_installer() -> dict[str, bytes]:
    """Return the files of ``boot_assets/installer`` by their names; blocks. Raises OSError."""
    directory = data_directory("boot_assets") / "installer"
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def read_catalogue() -> str:
    """Return ``boot_assets/catalogue.toml``, for ``catalogue.model.parse_catalogue``; blocks. Raises OSError."""
    return (data_directory("boot_assets") / "catalogue.toml").read_text(encoding="utf-8")


def read_talos_schema(contract: str) -> tuple[str, str]:
    """Return the JSON Schema of configurations of Talos ``v1.13`` or another, and what it lacks; blocks. Raises OSError."""
    directory = data_directory("boot_assets") / "talos"
    names = (f"config.schema-{contract}.json", "unlisted.json")
    schema, unlisted = ((directory / name).read_text(encoding="utf-8") for name in names)
    return schema, unlisted


def read_cloud_config_schema() -> str:
    """Return the JSON Schema of cloud-init's configurations; blocks. Raises OSError."""
    path = data_directory("boot_assets") / "cloud-init" / "schema-cloud-config-v1.json"
    return path.read_text(encoding="utf-8")


def read_node_programs() -> dict[str, str]:
    """Return the programs that a Pi runs for k3s, by their names; blocks. Raises OSError."""
    directory = data_directory("boot_assets") / "k3s"
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.py"))}
