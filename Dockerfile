# docker build -t askwhen .                                         (BASE: any image with Python 3.11 or newer)
# docker run -p 8000:8000 -v askwhen:/data askwhen
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
RUN python3 -m venv /opt/askwhen
COPY requirements.lock .
RUN /opt/askwhen/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY service service
RUN /opt/askwhen/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin askwhen \
    && install --directory --owner askwhen --group askwhen /data
COPY --from=build /opt/askwhen /opt/askwhen
ENV PATH=/opt/askwhen/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONHASHSEED=0 \
    PYTHONUNBUFFERED=1
USER askwhen
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["askwhen"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data"]
