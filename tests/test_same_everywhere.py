"""What decides what is stored is the same bits on every CPU: as far as one CPU can tell, and by the sources."""

import ast
import json
from pathlib import Path

import everywhere
import pytest
from small_samples import SAMPLES

import gstex

PACKAGE = Path(gstex.__file__).parent
WAYS = everywhere.ways()
CASES = "import runpy; runpy.run_module('everywhere_cases', run_name='__main__')"
# Functions of NumPy and of Python's math whose last bits differ between CPUs, systems or versions of libraries.
# gstex.native.maths has what is needed of them.
UNSURE = frozenset((
    "acos", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "atan", "atan2",
    "average", "cbrt", "convolve", "corrcoef", "correlate", "cos", "cosh", "cov", "dot", "einsum", "exp", "exp2",
    "expm1", "float_power", "gamma", "hypot", "i0", "inner", "interp", "kaiser", "linalg", "log", "log10", "log1p",
    "log2", "logaddexp", "matmul", "percentile", "pow", "power", "quantile", "sin", "sinc", "sinh", "std", "tan",
    "tanh", "tensordot", "trapezoid", "var", "vdot",
))  # fmt: skip
# Sources that decide what is stored, with what each may use all the same.
SOURCES: dict[str, set[str]] = {
    **{f"material/{path.name}": set() for path in sorted((PACKAGE / "material").glob("*.py"))},
    **{path.relative_to(PACKAGE).as_posix(): {"sort"}  # of numbers, not of places
       for path in sorted((PACKAGE / "encode").rglob("*.py")) if path.parent.name != "cuda"},
    "filtering.py": set(),
    "metrics.py": {"arctan2", "linalg", "quantile"},  # of angles, which no file has
    "srgb.py": set(),
}


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return json.loads(everywhere.run(WAYS[0], CASES, SAMPLES / "vine_leaves"))


@pytest.mark.parametrize("way", WAYS[1:], ids=str)
def test_everything_before_the_fit_is_the_same(way: everywhere.Way, expected: dict[str, str]) -> None:
    if not everywhere.numpy_features() and way.instruction_set == WAYS[0].instruction_set:
        pytest.skip("this NumPy has one set of loops for all CPUs, so there is nothing to switch off")
    found = json.loads(everywhere.run(way, CASES, SAMPLES / "vine_leaves"))
    assert {name for name in expected if found[name] != expected[name]} == set()


def test_features_of_numpy_are_really_switched_off() -> None:
    if not everywhere.numpy_features():
        pytest.skip("this NumPy has one set of loops for all CPUs, so there is nothing to switch off")
    assert everywhere.numpy_differs("np.exp(x.astype(np.float32))")
    assert not everywhere.numpy_differs("np.sqrt(x) / x")


def test_sources_use_only_what_is_the_same_everywhere() -> None:
    used = {name: unsure(ast.parse((PACKAGE / name).read_text())) - allowed for name, allowed in SOURCES.items()}
    assert {name: names for name, names in used.items() if names} == {}


def test_what_counts_as_unsure() -> None:
    code = "a = np.exp(b); c = math.pow(2, d); e = f @ g; h = i**3; j = np.argsort(k); np.linalg.norm(l)"
    assert unsure(ast.parse(code)) == {"exp", "pow", "@", "**", "argsort", "linalg"}
    fine = "a = maths.exp(b) ** 2; c = 2**d; e = np.argsort(f, kind='stable'); g = 10 ** (h - 1)"
    assert unsure(ast.parse(fine)) == set()


def unsure(tree: ast.AST) -> set[str]:
    """What a source uses of UNSURE, '@', powers but squares and those of constants, and sorts that are not stable.

    A square of an array is a product; of a single float it is not, and looks the same here.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("np", "math") and node.attr in UNSURE:
                found.add(node.attr)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            found.add("@")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            constant = isinstance(node.left, ast.Constant)
            square = isinstance(node.right, ast.Constant) and node.right.value == 2
            if not constant and not square:
                found.add("**")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in ("sort", "argsort") and not any(keyword.arg == "kind" for keyword in node.keywords):
                found.add(name)
    return found
