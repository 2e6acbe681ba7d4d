"""Settings: who wins, and that a misspelt one never passes in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.config import BASE_MODEL, EMBEDDED_MODEL, EMBEDDED_PORT, LLMSettings, load_settings
from agent.errors import ConfigError


def write_toml(text: str) -> None:
    Path("leitmotif.toml").write_text(text, encoding="utf-8")


def test_with_nothing_set_the_embedded_model_is_used() -> None:
    settings = load_settings()
    assert settings.llm.base_url == f"http://127.0.0.1:{EMBEDDED_PORT}/v1"
    assert settings.llm.embedded


def test_the_file_beats_the_default() -> None:
    write_toml("[profile]\nsamples = 7\n")
    assert load_settings().profile.samples == 7


def test_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write_toml('[llm]\nmodel = "from-file"\nconcurrency = 5\n')
    monkeypatch.setenv("LEITMOTIF_LLM__MODEL", "from-env")
    settings = load_settings()
    assert settings.llm.model == "from-env"
    assert settings.llm.concurrency == 5  # what the environment does not say is still the file's


def test_the_command_line_beats_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEITMOTIF_HOME", "elsewhere")
    assert load_settings(home=tmp_path).home == tmp_path


def test_an_option_that_was_not_given_does_not_hide_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITMOTIF_HOME", "elsewhere")
    assert load_settings(home=None).home == Path("elsewhere")


@pytest.mark.parametrize(
    "text",
    [
        "colour = 1\n",
        "[llm]\nbase_ulr = 'http://x'\n",
        "[profile]\nsamples = 0\n",
        "[profile]\nsamples = 'many'\n",
        "[llm\n",
        "[recommend]\ndiversity = 1.5\n",
        "[recommend]\nasks = 'fits'\n[llm]\nmodel = 'large'\n",
    ],
)
def test_a_bad_file_is_refused_in_one_line(text: str) -> None:
    write_toml(text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_only_the_tuned_model_can_be_asked_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITMOTIF_RECOMMEND__ASKS", "fits")
    assert load_settings().recommend.asks == "fits"
    monkeypatch.setenv("LEITMOTIF_LLM__MODEL", "large")
    with pytest.raises(
        ConfigError, match=r"^recommend\.asks .* needs the tuned embedded model, and llm\.model is 'large'"
    ):
        load_settings()


def test_a_bad_key_is_named() -> None:
    write_toml("[llm]\nbase_ulr = 'http://x'\n")
    with pytest.raises(ConfigError, match=r"llm\.base_ulr"):
        load_settings()


@pytest.mark.parametrize("name", ["LEITMOTIF_HOEM", "LEITMOTIF_LMM__MODEL", "LEITMOTIF_LLM__BASE_ULR"])
def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError):
        load_settings()


def test_settings_do_not_change_once_read() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.llm.model = "other"  # type: ignore[misc]


def test_the_key_is_not_shown() -> None:
    settings = load_settings(llm={"api_key": "sk-secret"})
    assert "sk-secret" not in repr(settings)
    assert settings.llm.api_key.get_secret_value() == "sk-secret"


def test_the_database_is_in_the_home_unless_said_otherwise(tmp_path: Path) -> None:
    home = tmp_path / "a home?"
    assert load_settings(home=home).db_url.startswith("sqlite:///")
    assert "a home" in load_settings(home=home).db_url
    assert load_settings(database_url="postgresql://u@h/d").db_url == "postgresql://u@h/d"


@pytest.mark.parametrize(
    ("model", "embedded", "tuned"),
    [
        (EMBEDDED_MODEL, True, True),
        (f"{EMBEDDED_MODEL}-mine", True, True),
        (BASE_MODEL, True, False),
        ("Qwen/Qwen3-8B", False, False),
    ],
)
def test_the_embedded_models_are_told_from_others(model: str, embedded: bool, tuned: bool) -> None:
    given = LLMSettings(model=model)
    assert (given.embedded, given.tuned) == (embedded, tuned)


def test_the_address_follows_the_port_unless_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITMOTIF_ENGINE__PORT", "9001")
    assert load_settings().llm.base_url == "http://127.0.0.1:9001/v1"
    monkeypatch.setenv("LEITMOTIF_LLM__BASE_URL", "http://gpu:8000/v1")
    assert load_settings().llm.base_url == "http://gpu:8000/v1"
