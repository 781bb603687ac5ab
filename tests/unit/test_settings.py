"""What the environment may say, and what is said back where it may not."""

from hashlib import sha256
from pathlib import Path

import pytest

from features.errors import BadSetting, DuecastError
from services.settings import QUIET, SETTINGS, read_settings
from services.store import Store

KEY = sha256(b"open sesame").hexdigest()


def test_nothing_set_means_loopback_without_keys_and_absolute_places():
    settings = read_settings({})
    assert (settings.host, settings.port, dict(settings.api_keys)) == ("127.0.0.1", 3000, {})
    assert settings.url == "http://127.0.0.1:3000"
    assert settings.lake == str(Path.cwd() / ".duecast/lake")
    assert settings.mlruns == Path.cwd() / "mlruns"
    assert settings.state_url == f"sqlite:///{Path.cwd()}/.duecast/state.db"


def test_what_is_given_wins_over_the_environment_and_none_does_not():
    environment = {"DUECAST_PORT": "4000", "DUECAST_LOG_LEVEL": "debug"}
    settings = read_settings(environment, port=5000, log_level=None)
    assert (settings.port, settings.log_level) == (5000, "DEBUG")


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("DUECAST_PORT", "http", "a whole number from 1 to 65535"),
        ("DUECAST_PORT", "70000", "a whole number from 1 to 65535"),
        ("DUECAST_HOST", "example.org", "an IP address"),
        ("DUECAST_LAKE", " ", "a folder or an object store's URL"),
        ("DUECAST_STATE_URL", "state.db", "an SQLAlchemy URL such as sqlite:///state.db or postgresql://host/name"),
        ("DUECAST_STATE_URL", "sqlite://", "an SQLAlchemy URL such as sqlite:///state.db or postgresql://host/name"),
        ("DUECAST_BODY_LIMIT", "1", "a whole number from 1000 to 100000000"),
        ("DUECAST_BULK_LIMIT", "-1", "a whole number from 1 to 10000"),
        ("DUECAST_LOG_LEVEL", "LOUD", "one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_is_allowed(variable, value, allowed):
    with pytest.raises(BadSetting) as raised:
        read_settings({variable: value})
    assert str(raised.value) == f"{variable} is {value!r}; allowed: {allowed}"


def test_a_misspelt_variable_is_refused_with_the_right_ones():
    with pytest.raises(BadSetting, match=r"unknown setting DUECAST_PROT; there are: .*DUECAST_PORT"):
        read_settings({"DUECAST_PROT": "3000"})


def test_other_programs_variables_are_none_of_our_business():
    assert read_settings({"PATH": "/bin", "PORT": "http"}).port == 3000


@pytest.mark.parametrize("keys", ["secret", "name=secret", f"a={KEY},a={'0' * 64}", f"a={KEY},b={KEY}", f"A B={KEY}"])
def test_keys_that_cannot_be_used_are_refused_and_never_shown(keys):
    with pytest.raises(BadSetting, match=r"DUECAST_API_KEYS is \(not shown\); allowed: name=SHA-256") as raised:
        read_settings({"DUECAST_API_KEYS": keys})
    assert KEY not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_system_may_have_two_secrets_while_one_takes_the_place_of_the_other():
    text = "erp=/run/erp.new, erp=/run/erp.old,crm=crm.secret"
    found = read_settings({"DUECAST_WEBHOOK_SECRETS": text}).webhook_secrets
    assert found == {"erp": (Path("/run/erp.new"), Path("/run/erp.old")), "crm": (Path.cwd() / "crm.secret",)}


@pytest.mark.parametrize(
    "text", ["hush-hush", "erp=", "=/run/hush", "ERP=/run/hush", "e=/hush,e=/b,e=/c", "e=/hush,e=/hush"]
)
def test_files_of_secrets_that_cannot_be_used_are_refused_and_never_shown(text):
    with pytest.raises(BadSetting, match=r"DUECAST_WEBHOOK_SECRETS is \(not shown\); allowed: name=file") as raised:
        read_settings({"DUECAST_WEBHOOK_SECRETS": text})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("url", ["postgres:user:secret@host/name", "secret@host", "sqlite:secret", "host?key=secret"])
def test_a_database_url_that_cannot_be_used_is_not_shown(url):
    with pytest.raises(BadSetting, match=r"DUECAST_STATE_URL is \(not shown\); allowed: an SQLAlchemy URL") as raised:
        read_settings({"DUECAST_STATE_URL": url})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret",
        "postgresql://user:first@secret@host/name",
        "postgresql://user:secret@127.0.0.1:9/name",
        "postgresql://127.0.0.1:9/name?user=user&password=secret",
    ],
)
def test_no_message_about_a_database_holds_its_password(url):
    with pytest.raises(DuecastError) as raised:
        Store(read_settings({"DUECAST_STATE_URL": url}).state_url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "::"])
def test_a_host_that_others_can_reach_needs_a_key(host):
    with pytest.raises(BadSetting, match=r"DUECAST_HOST is .* and DUECAST_API_KEYS is empty"):
        read_settings({"DUECAST_HOST": host})
    assert read_settings({"DUECAST_HOST": host, "DUECAST_API_KEYS": f"erp={KEY}"}).api_keys == {KEY: "erp"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_none(host):
    assert read_settings({"DUECAST_HOST": host}).on_loopback


def test_a_child_process_reads_the_same_settings():
    told = {"DUECAST_API_KEYS": f"erp={KEY},crm={'0' * 64}", "DUECAST_LAKE": "s3://bucket/lake"}
    settings = read_settings(told | {"DUECAST_WEBHOOK_SECRETS": "erp=a.secret,erp=b.secret,crm=c.secret"})
    environment = settings.environment()
    assert environment.items() >= QUIET.items()
    assert read_settings(environment) == settings


def test_every_setting_says_what_it_is_and_its_default_is_allowed():
    assert all(
        s.doc and s.allowed and (s.default or s.field in ("api_keys", "webhook_secrets", "user")) for s in SETTINGS
    )
