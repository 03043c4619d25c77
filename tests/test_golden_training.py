from pathlib import Path

import pytest

from golden_cases import Golden, load_golden
from golden_steps import build_steps
from golden_training import compare_step

pytestmark = pytest.mark.slow

CASES = (
    "coco",
    "grounding",
    "prompt_mask",
    "prompt_box",
    "prompt_point",
    "video",
    "video_prompt",
)


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden(Path(__file__).parent / "golden" / "small")


@pytest.mark.parametrize("name", CASES)
def test_a_training_step_computes_the_losses_matchings_and_gradients_of_the_original(
    golden: Golden, name: str
) -> None:
    result = compare_step(golden, name, build_steps(golden)[name])

    assert max(result.losses.values()) < 1e-4
    assert max(result.gradients.values()) < 2e-3
    assert max(result.tensors.values()) < 2e-4
    assert all(result.matchings.values())
    assert len(result.losses) == 54
    assert len(result.matchings) >= 12


def test_no_training_recording_is_left_out(golden: Golden) -> None:
    recorded = {
        path.stem.removeprefix("expected_train_")
        for path in golden.folder.glob("expected_train_*.json")
    }

    assert recorded == set(CASES) == set(build_steps(golden))
