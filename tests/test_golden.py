from pathlib import Path

import pytest

from compare_golden import MASKS, compare
from golden_cases import Golden, build_cases, load_golden

CASES = (
    "coco",
    "names",
    "grounding",
    "object",
    "batch",
    "batch_grounding",
    "batch_prompt",
    "video",
    "vos",
    "prompt_point",
    "prompt_scribble",
    "prompt_box",
    "prompt_mask",
)


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden(Path(__file__).parent / "golden" / "small")


@pytest.mark.parametrize("name", CASES)
def test_every_recorded_tensor_of_the_original_is_computed(golden: Golden, name: str) -> None:
    result = compare(golden, name, build_cases(golden)[name])

    errors = result.errors
    apart = {k: e for k, e in errors.items() if not e < (2e-3 if k.startswith(MASKS) else 1e-4)}
    assert not apart
    assert len(errors) > 15


def test_no_inference_recording_is_left_out(golden: Golden) -> None:
    recorded = {
        path.stem.removeprefix("expected_")
        for path in golden.folder.glob("expected_*.safetensors")
        if "_train_" not in path.stem
    }

    assert recorded == set(CASES) == set(build_cases(golden))
