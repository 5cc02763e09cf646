"""The one reader of the environment: options, then `ASKWHEN_*` variables, then a TOML file. It configures nobody itself."""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Settings(BaseSettings):
    """What a server can be told; every field is an option of `askwhen serve`, an environment variable and a key of the TOML file."""

    model_config = SettingsConfigDict(env_prefix="ASKWHEN_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; other than loopback only with `insecure`")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    data: Path = Field(Path("askwhen-data"), description="folder of the log and its snapshots")
    insecure: bool = Field(default=False, description="listen on any address although nothing asks for a key")
    ssl_certfile: Path | None = Field(None, description="certificate chain (PEM); with it the server speaks TLS")
    ssl_keyfile: Path | None = Field(None, description="private key of the certificate (PEM), where it is not in the same file")
    ssl_keyfile_password: SecretStr | None = Field(None, description="password of the private key")
    ssl_ca_certs: Path | None = Field(None, description="authorities (PEM) one of which must have signed a client's certificate")
    key_rate: float = Field(0.0, ge=0, description="events a second that a key may send, unless it has a rate of its own; 0 is no limit")
    remembered: int = Field(100_000, ge=0, description="answers that are remembered in memory for ids that come again")
    max_body: int = Field(1_048_576, ge=1_024, description="largest request body in bytes")
    max_batch: int = Field(16_777_216, ge=1_024, description="largest body of a batch in bytes")
    max_objects: int = Field(10_000, ge=1, description="most objects in a batch")
    max_requests: int = Field(1_000, ge=1, description="requests in work at once; one more is refused with 503")
    snapshot_labels: int = Field(1_000, ge=1, description="events after which a stream's snapshot is written")
    snapshot_seconds: float = Field(60.0, gt=0, description="seconds after which a changed stream's snapshot is written")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="least severe message that is logged")


class CallerSettings(BaseSettings):
    """What the commands that call a running service take from the environment."""

    model_config = SettingsConfigDict(env_prefix="ASKWHEN_", frozen=True)

    key: str | None = Field(default=None, repr=False, description="key that the service asks for")


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
