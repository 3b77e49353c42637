"""Holds the manifests of a page against the schema of a release of Kubernetes.

    python manifests.py RELEASE PAGE
"""

import copy
import sys
from pathlib import Path

import kubernetes_validate
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fences import fences_of  # noqa: E402  (it lies one folder above)


def manifests_of(page):
    for fence in fences_of(page, Path(page).read_text(encoding="utf-8")):
        if fence.language == "yaml":
            yield from (document for document in yaml.safe_load_all(fence.text) if "kind" in document)


def complaint(manifest, release):
    """What is wrong with it, or None."""
    try:
        kubernetes_validate.validate(manifest, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{manifest['kind']}: {str(error).splitlines()[0]}"
    return None


def main():
    release, page = sys.argv[1:]
    manifests = list(manifests_of(page))
    for manifest in manifests:
        said = complaint(manifest, release)
        if said:
            raise SystemExit(said)
        # A schema that takes everything would prove nothing.
        odd = copy.deepcopy(manifest)
        odd["metadata"]["nmae"] = "misspelt"
        if not complaint(odd, release):
            raise SystemExit(f"{manifest['kind']}: a misspelt key is not noticed")
    if not manifests:
        raise SystemExit(f"{page} has no manifest")


if __name__ == "__main__":
    main()
