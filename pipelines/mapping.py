"""A mapping: how the files or the API of one source become canonical tables, declared in YAML.

`load("ibm-ar")` reads a mapping that ships with Duecast, `load("my/erp.yaml")` one of your own. The keys are explained
in `mapping_keys.py` and, with examples, in `mappings/generic.yaml`. Everything is checked before a row is read.
"""

from pathlib import Path

from features.errors import BadSetting, NotFound
from pipelines.mapping_keys import Mapping
from pipelines.mapping_rules import require_sound
from pipelines.strict_yaml import decode, nearest

SHIPPED = Path(__file__).parent / "mappings"


def load(name_or_path: str | Path) -> Mapping:
    """The mapping in a YAML file, or the shipped one of that name.

    `NotFound` where there is neither, `BadSetting` naming file, line, key and what is allowed where it is wrong.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = _shipped(str(name_or_path))
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: cannot be read as UTF-8 text: {error}") from None
    return parse(text, path.name)


def parse(text: str, file: str) -> Mapping:
    """A checked mapping from YAML text; `file` is only the name used in complaints."""
    mapping = decode(text, Mapping, file)
    require_sound(mapping, file)
    return mapping


def shipped_names() -> list[str]:
    """The mappings that ship with Duecast."""
    return sorted(p.stem for p in SHIPPED.glob("*.yaml"))


def _shipped(name: str) -> Path:
    known = shipped_names()
    if name in known:
        return SHIPPED / f"{name}.yaml"
    raise NotFound(f"no mapping {name!r}: neither a file nor one of {', '.join(known)}{nearest(name, known)}")
