"""The one reader of the environment: options, then `ASKWHEN_*` variables, then a TOML file. It configures nobody itself."""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Settings(BaseSettings):
    """What a server can be told; every field is an option of `askwhen serve`, an environment variable and a key of the TOML file."""

    model_config = SettingsConfigDict(env_prefix="ASKWHEN_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; other than loopback only with `insecure`")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    data: Path = Field(Path("askwhen-data"), description="folder of the log and its snapshots")
    insecure: bool = Field(default=False, description="listen on any address although nothing asks for a key")
    remembered: int = Field(100_000, ge=0, description="answers that are remembered in memory for ids that come again")
    max_body: int = Field(1_048_576, ge=1_024, description="largest request body in bytes")
    snapshot_labels: int = Field(1_000, ge=1, description="events after which a stream's snapshot is written")
    snapshot_seconds: float = Field(60.0, gt=0, description="seconds after which a changed stream's snapshot is written")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="least severe message that is logged")


def load(config: Path | None, options: dict[str, Any]) -> Settings:
    """Read the settings; `options` that are None were not given. Raises pydantic's `ValidationError`."""

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = (TomlConfigSettingsSource(settings_cls, config),) if config is not None else ()
            return (init_settings, env_settings, *toml)

    return Layered(**{name: value for name, value in options.items() if value is not None})
