"""A baseline's training configuration is the model's own, but for what makes it that baseline."""

import pytest
import yaml

from avsr.errors import AvsrError
from avsr.training.baselines import BASELINES, baseline_config, main
from avsr.training.task import check_parts, make_config
from avsr.model.avsr_model import ModelConfig

CONFIG = {
    "max_epoch": 22,
    "seed": 1,
    "model_conf": {
        "size": 32, "lip_conf": {"pool": 3, "change": True, "channels": [4, 8]}, "fusion_conf": {"hidden": 8}, "keep_both": 0.4
    },
}  # fmt: skip


@pytest.mark.parametrize("name", BASELINES)
def test_everything_else_is_the_models(name):
    config = baseline_config(CONFIG, name)
    own, its = CONFIG["model_conf"], config["model_conf"]
    assert {key: value for key, value in config.items() if key != "model_conf"} == {"max_epoch": 22, "seed": 1}
    changed = {key for key in own | its if own.get(key) != its.get(key)}
    allowed = {"lipnet": {"lip_conf"}, "concatenation": {"fusion", "fusion_conf"}, "constant_weight": {"fusion", "fusion_conf"}}
    assert changed == allowed.get(name, set())
    check_parts(make_config(ModelConfig, its, "model_conf"))
    assert CONFIG["model_conf"]["lip_conf"]["change"] is True, "the model's own is as it was"


def test_the_command_writes_it_and_says_what_it_is_trained_on(tmp_path, capsys):
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(CONFIG))
    out = tmp_path / "new" / "lipnet.yaml"
    assert main(["--name", "lipnet", "--config", str(tmp_path / "train.yaml"), "--out", str(out)]) == 0
    assert capsys.readouterr().out == "lips lip\n"
    assert yaml.safe_load(out.read_text())["model_conf"]["lip_conf"] == {"encoder": "lipnet", "pool": 2, "dropout": 0.1}


def test_an_unknown_one_is_a_sentence():
    with pytest.raises(AvsrError, match="there is no baseline 'lstm'; it can be one of audio_only,"):
        baseline_config(CONFIG, "lstm")
