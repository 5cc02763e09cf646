# docker build -t askwhen .                                         (BASE: any image with Python 3.11 or newer, its venv and useradd)
# docker run --read-only -p 8000:8000 -v askwhen:/data askwhen      (deploy/ has a compose file and Kubernetes manifests)
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/askwhen
COPY requirements.lock .
RUN /opt/askwhen/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY service service
# What builds, and what only tests or compiles against the libraries, stays behind. Modules are compiled here because the root is
# read-only later, and unchecked because a copy may change the times that Python would compare.
RUN /opt/askwhen/bin/python -m pip install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
    && /opt/askwhen/bin/python -m pip uninstall --quiet --yes hatchling pathspec pluggy trove-classifiers setuptools pip \
    && cd /opt/askwhen/lib/python3*/site-packages \
    && find numpy scipy pyarrow -depth -type d '(' -name tests -o -path pyarrow/include ')' -exec rm -r {} + \
    && /opt/askwhen/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash .

FROM ${BASE}
# The official Python images come without compiled modules of the standard library.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin askwhen \
    && install --directory --owner askwhen --group askwhen /data \
    && python3 -c 'import compileall, re, sysconfig; compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=2, rx=re.compile("/(test|idlelib|(site|dist)-packages)/"))'
COPY --from=build /opt/askwhen /opt/askwhen
ENV PATH=/opt/askwhen/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONHASHSEED=0 \
    PYTHONUNBUFFERED=1
# By number, so that Kubernetes can check runAsNonRoot.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "from os import environ; from urllib.request import urlopen; urlopen(f\"http://127.0.0.1:{environ.get('ASKWHEN_PORT', 8000)}/readyz\", timeout=2)"]
ENTRYPOINT ["askwhen"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data"]
