"""What pyproject.toml cannot say: the GPU sources, which lie beside the package, go into the wheel inside it, and
the templates of the report with their package.

gstex/resources.py finds them in both places.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["gstex", "gstex.*"]), "gstex._cuda", "gstex._shaders"],
    package_dir={"gstex._cuda": "cuda", "gstex._shaders": "shaders"},
    package_data={
        "gstex._cuda": ["**/*"],
        "gstex._shaders": ["**/*"],
        "gstex.report": ["*.html", "*.css", "*.js"],
    },
)
