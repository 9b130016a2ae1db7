"""Stores for the conformance suites: real ones, started once."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from server.media.s3 import Bucket
from tests.conformance import swift

BUCKET = "photos"


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """An empty bucket of a running object store; its keys stand in the environment."""
    folder: Path = tmp_path_factory.mktemp("swift")
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ACCESS_KEY_ID", swift.ACCESS)
    patch.setenv("AWS_SECRET_ACCESS_KEY", swift.SECRET)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    try:
        with swift.serving(folder) as endpoint:
            config = Config(s3={"addressing_style": "path"})
            client = boto3.client(
                "s3", endpoint_url=endpoint, region_name="us-east-1", config=config
            )
            client.create_bucket(Bucket=BUCKET)
            yield Bucket(name=BUCKET, endpoint=endpoint, region="us-east-1")
    except swift.Missing as missing:
        pytest.skip(f"the object store was not tried: {missing}")
    finally:
        patch.undo()
