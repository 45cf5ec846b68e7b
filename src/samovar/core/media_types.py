"""Media types that samovar reads and writes.

References
----------
OCI image specification, media-types.md; CNCF ModelPack specification, spec.md; in-toto
attestation framework, spec/v1/envelope.md.
"""

from __future__ import annotations

from typing import Final

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_TAR: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"

DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"

MODEL_MANIFEST: Final = "application/vnd.cncf.model.manifest.v1+json"
MODEL_CONFIG: Final = "application/vnd.cncf.model.config.v1+json"
MODEL_WEIGHT_TAR: Final = "application/vnd.cncf.model.weight.v1.tar"
MODEL_WEIGHT_CONFIG_TAR: Final = "application/vnd.cncf.model.weight.config.v1.tar"
MODEL_CODE_TAR: Final = "application/vnd.cncf.model.code.v1.tar"
MODEL_DATASET_TAR: Final = "application/vnd.cncf.model.dataset.v1.tar"
GZIP_SUFFIX: Final = "+gzip"
"""Ends the type of a layer that is a gzip file of what the rest of the type says."""

MODEL_FILEPATH: Final = "org.cncf.model.filepath"

RUN_MANIFEST: Final = "application/vnd.samovar.run.v1+json"
RUN_RECORD: Final = "application/vnd.samovar.run.record.v1+json"

IN_TOTO_ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"

MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_INDEX})
