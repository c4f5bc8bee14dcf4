"""Settings: `LOCKSTEP_*` variables and an optional `lockstep.toml`, read once, frozen. A flag wins over both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from service.parity.errors import InvalidConfiguration, Problem

CONFIG_FILE = Path("lockstep.toml")


class Settings(BaseSettings):
    """What the installation is set to. Field `database_url` is the variable `LOCKSTEP_DATABASE_URL`, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="LOCKSTEP_", toml_file=CONFIG_FILE, frozen=True, extra="forbid", str_strip_whitespace=True
    )

    database_url: str = Field("sqlite:///lockstep.db", description="where runs are recorded")
    auto_migrate: bool | None = Field(None, description="migrate at start; on for SQLite unless set")
    report_folder: Path = Field(Path("lockstep-reports"), description="where `lockstep run` writes reports")
    cpu_threads: int = Field(1, ge=1, description="threads of NumPy's BLAS; one is repeatable on a busy machine")
    allowed_hosts: tuple[str, ...] = Field((), description="host names served besides the loopback ones")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def migrates_itself(self) -> bool:
        """Whether commands may bring the database to this version's revision without being asked."""
        return self.database_url.startswith("sqlite") if self.auto_migrate is None else self.auto_migrate


def read_settings(**flags: Any) -> Settings:
    """The settings; flags that are None are not given. Raises `InvalidConfiguration` naming each bad value."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        problems = (
            Problem(".".join(str(part) for part in item["loc"]), f"{item['msg']} (LOCKSTEP_* or {CONFIG_FILE})")
            for item in error.errors()
        )
        raise InvalidConfiguration(*problems) from error
    except ValueError as error:  # tomllib's and pydantic-settings' own
        raise InvalidConfiguration(Problem("settings", str(error))) from error
