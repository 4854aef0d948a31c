# Without arguments: Python on Debian and the default build of torch, which on x86 Linux holds CUDA
# and runs on a CPU too. A small image for CPUs alone: --build-arg PIP_EXTRA_INDEX_URL=<an index
# with torch built for CPUs>. Another base: --build-arg BASE_IMAGE=<an image with Python 3.11-3.13>.
ARG BASE_IMAGE=python:3.11-slim
FROM ${BASE_IMAGE}

# Empty: pip's own default.
ARG PIP_INDEX_URL=""
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1

RUN useradd --uid 1000 --create-home --home-dir /data alvision

WORKDIR /opt/alvision
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY configs configs
COPY alvision alvision
RUN python -m pip install -c constraints.txt -e ".[demo,export,machine]"

# Caches go to the volume as well, whichever user the container runs as.
ENV HOME=/data
USER 1000
WORKDIR /data
VOLUME /data
ENTRYPOINT ["alvision"]
CMD ["--help"]
