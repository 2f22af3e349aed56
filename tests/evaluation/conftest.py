"""Weight files with deterministic weights, under the names of the released ones; and none of this machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from magicpose_cli.evaluation import metric_weights
from magicpose_cli.evaluation.adaface import AdaFace
from magicpose_cli.evaluation.i3d import I3D

from .golden import deterministic


@pytest.fixture(autouse=True)
def no_torch_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a test finds does not depend on what torch has downloaded here, nor on features that were kept."""
    home = tmp_path_factory.mktemp("torch")
    monkeypatch.setenv("TORCH_HOME", str(home))
    monkeypatch.setenv("MAGICPOSE_HOME", str(home / "magicpose"))
    return home


@pytest.fixture(autouse=True)
def no_packaged_weights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on the networks of the `offline` extra, which would look at every frame: but where a test asks for them."""
    if request.node.get_closest_marker("packaged_weights") is None:
        monkeypatch.setattr(metric_weights, "package_dir", lambda package: None)


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="session")
def vgg16_weights(weights_dir: Path) -> Path:
    pytest.importorskip("lpips", reason="the eval extra is not installed")
    from torchvision.models import vgg16

    with torch.device("meta"):
        state = vgg16(weights=None).features.state_dict()
    state = {name: torch.zeros(value.shape) for name, value in state.items()}
    tensors = {f"features.{name}": value for name, value in deterministic(state, gain2=2.0).items()}
    path = weights_dir / "vgg16-397923af.pth"
    torch.save(tensors | {"classifier.0.bias": torch.zeros(4096)}, path)
    return path


@pytest.fixture(scope="session")
def inception_weights(weights_dir: Path) -> Path:
    inception = pytest.importorskip("pytorch_fid.inception", reason="the eval extra is not installed")
    state: dict[str, torch.Tensor] = {}  # of the network as pytorch-fid builds it, before it takes it apart
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(
            "torchvision.models.Inception3.load_state_dict",
            lambda network, _: state.update(network.state_dict()),
        )
        inception.fid_inception_v3()
    path = weights_dir / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(deterministic(state, gain2=2.0), path)
    return path


@pytest.fixture(scope="session")
def resnet_weights(weights_dir: Path) -> Path:
    resnet = pytest.importorskip("monai.networks.nets.resnet", reason="the eval extra is not installed")
    state = resnet.resnet50(
        spatial_dims=3, n_input_channels=3, conv1_t_size=7, conv1_t_stride=(1, 2, 2), bias_downsample=False
    ).state_dict()
    path = weights_dir / "resnet-50-kinetics.pth"
    tensors = {f"module.{name}": value for name, value in deterministic(state).items()}
    torch.save({"epoch": 1, "state_dict": tensors}, path)
    return path


@pytest.fixture(scope="session")
def adaface_weights(weights_dir: Path) -> Path:
    path = weights_dir / "adaface_ir50_ms1mv2.ckpt"
    tensors = deterministic(AdaFace().state_dict())
    torch.save({"state_dict": {f"model.{name}": value for name, value in tensors.items()}}, path)
    return path


@pytest.fixture(scope="session")
def i3d_weights(weights_dir: Path) -> Path:
    path = weights_dir / "i3d_pretrained_400.pt"
    torch.save(deterministic(I3D().state_dict(), gain2=2.0), path)
    return path
