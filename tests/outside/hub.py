"""The loopback hub against the genuine `huggingface_hub` client, and the program behind a real mirror server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import checkpoints
from program import result
from servers import free_port, loopback_hub, take_log, wait_for

OLAH = "olah==0.5.4"


def expect(name, wanted, do):
    """Compares what `do` gives, or the name of the exception it ends with, with what is wanted."""
    try:
        got = do()
    except Exception as error:  # the class is what is compared
        got = type(error).__name__
    result(got == wanted, f"hub, {name}", f"{got!r}, not {wanted!r}")


def make_root(root):
    for name in ["acme/tiny", "acme/gated", "acme/private", "acme/disabled"]:
        checkpoints.write_model(root / name, tag=name)
    for name, settings in [("gated", {"gated": "manual"}), ("private", {"private": True}), ("disabled", {"disabled": True})]:
        (root / "acme" / name / "loopback.json").write_text(json.dumps(settings))
    checkpoints.write_model(root / "acme/tiny@feature%2Fx", tag="branch")
    checkpoints.write_model(root / "acme/shards", shards=5)
    checkpoints.write_model(root / "acme/seventy", checkpoints.SEVENTY, shards=30)
    many = root / "acme/many/parts"
    many.mkdir(parents=True)
    for number in range(2345):
        (many / f"{number:05}.txt").write_text("x")
    (root / "acme/many/sub dir #1 é.json").write_text("{}")
    (root / "datasets/acme/words").mkdir(parents=True)
    (root / "datasets/acme/words/README.md").write_text("words")


TOKENS = ["--token", "hf_bob=bob", "--token", "hf_alice=alice:acme/gated,acme/private", "--rename", "old/tiny=acme/tiny"]


def client(hub, root):
    """What the client makes of the hub's answers. It reads its environment when it is imported."""
    import huggingface_hub as h
    from huggingface_hub.utils import get_session

    api = h.HfApi()
    sha = api.model_info("acme/tiny").sha
    small = lambda repo, **more: json.loads(Path(h.hf_hub_download(repo, "config.json", **more)).read_text())["tag"]
    expect("info: commit of 40 digits", 40, lambda: len(sha))
    expect("info: sizes with blobs", (True, 64), lambda: [(f.size > 0, len(f.lfs.sha256)) for f in api.model_info("acme/tiny", files_metadata=True).siblings if f.lfs][0])
    expect("info: at a commit", sha, lambda: api.model_info("acme/tiny", revision=sha).sha)
    expect("info: at the start of a commit", sha, lambda: api.model_info("acme/tiny", revision=sha[:8]).sha)
    expect("info: branch with a slash is another commit", False, lambda: api.model_info("acme/tiny", revision="feature/x").sha == sha)
    expect("info: unknown revision", "RevisionNotFoundError", lambda: api.model_info("acme/tiny", revision="nope"))
    expect("info: some fields only", "manual", lambda: api.model_info("acme/gated", expand=["gated"]).gated)
    expect("info: renamed", "acme/tiny", lambda: api.model_info("old/tiny").id)
    expect("info: written in other case", "acme/tiny", lambda: api.model_info("Acme/TINY").id)
    # The client tells a bare 401 as "not found" for https addresses only (`REPO_API_REGEX`).
    expect("info: unknown without token", "HfHubHTTPError", lambda: api.model_info("acme/none"))
    expect("info: unknown with token", "RepositoryNotFoundError", lambda: api.model_info("acme/none", token="hf_bob"))
    expect("info: token that nobody knows", "HfHubHTTPError", lambda: api.model_info("acme/tiny", token="hf_nobody"))
    expect("info: private, not granted", "RepositoryNotFoundError", lambda: api.model_info("acme/private", token="hf_bob"))
    expect("info: private, granted", True, lambda: api.model_info("acme/private", token="hf_alice").private)
    expect("info: disabled", "DisabledRepoError", lambda: api.model_info("acme/disabled"))
    expect("info: dataset", "acme/words", lambda: api.dataset_info("acme/words").id)
    expect("info: dataset named as model", "RepositoryNotFoundError", lambda: api.model_info("acme/words", token="hf_bob"))
    expect("tree: three pages", 2345 + 1 + 1, lambda: len(list(api.list_repo_tree("acme/many", recursive=True))))
    expect("tree: top folder only", 2, lambda: len(list(api.list_repo_tree("acme/many"))))
    expect("tree: gated hides checksums", ["*" * 64], lambda: [f.lfs.sha256 for f in api.list_repo_tree("acme/gated") if getattr(f, "lfs", None)])
    expect("tree: granted sees them", False, lambda: any("*" in f.lfs.sha256 for f in api.list_repo_tree("acme/gated", token="hf_alice") if getattr(f, "lfs", None)))
    expect("paths-info", ["config.json"], lambda: [p.path for p in api.get_paths_info("acme/tiny", ["config.json", "nope"])])
    expect("refs", ["feature/x", "main"], lambda: sorted(b.name for b in api.list_repo_refs("acme/tiny").branches))
    expect("whoami", "bob", lambda: api.whoami(token="hf_bob")["name"])
    expect("exists: yes, no", (True, False), lambda: (api.file_exists("acme/tiny", "config.json"), api.file_exists("acme/tiny", "nope")))
    expect("download: small file by way of the cache", "acme/tiny", lambda: small("acme/tiny"))
    expect("download: branch", "branch", lambda: small("acme/tiny", revision="feature/x"))
    expect("download: renamed", "acme/tiny", lambda: small("old/tiny"))
    expect("download: odd name", "{}", lambda: Path(h.hf_hub_download("acme/many", "sub dir #1 é.json")).read_text())
    weights = checkpoints.TINY
    size = (root / "acme/tiny/model.safetensors").stat().st_size
    expect("download: large file from the other host", size, lambda: os.path.getsize(h.hf_hub_download("acme/tiny", "model.safetensors")))
    expect("download: missing file", "RemoteEntryNotFoundError", lambda: h.hf_hub_download("acme/tiny", "nope"))
    expect("download: gated without token", "GatedRepoError", lambda: small("acme/gated"))
    expect("download: gated, not granted", "GatedRepoError", lambda: small("acme/gated", token="hf_bob"))
    expect("download: gate before missing file", "GatedRepoError", lambda: h.hf_hub_download("acme/gated", "nope", token="hf_bob"))
    expect("download: gated, granted", "acme/gated", lambda: small("acme/gated", token="hf_alice"))
    expect("download: gated, read me is open", "---", lambda: Path(h.hf_hub_download("acme/gated", "README.md")).read_text()[:3])
    expect("download: dataset", "words", lambda: Path(h.hf_hub_download("acme/words", "README.md", repo_type="dataset")).read_text())
    expect("auth-check", "GatedRepoError", lambda: api.auth_check("acme/gated", token="hf_bob"))
    meta = h.get_hf_file_metadata(h.hf_hub_url("acme/tiny", "model.safetensors"))
    expect("metadata: size, checksum, commit, host", (size, 64, sha, True), lambda: (meta.size, len(meta.etag), meta.commit_hash, meta.location.startswith(hub["cdn"])))
    parameters = sum(checkpoints.elements(shape) for _, shape in checkpoints.llama(**weights))
    expect("headers: one file", {"BF16": parameters}, lambda: h.get_safetensors_metadata("acme/tiny").parameter_count)
    expect("headers: 30 shards, 141 GB", {"BF16": 70553706496}, lambda: h.get_safetensors_metadata("acme/seventy").parameter_count)
    expect("headers: 30 shards in one request", {"BF16": 70553706496}, lambda: api.get_sharded_safetensors_metadata("acme/seventy").parameter_count)
    take_log(hub)
    h.hf_hub_download("acme/gated", "model.safetensors", token="hf_alice", force_download=True)
    log = take_log(hub)
    expect("the client keeps the token from the other host", (True, False), lambda: (any(s["has_authorization"] for s in log if s["host"] == "Hub"), any(s["has_authorization"] for s in log if s["host"] == "Cdn")))
    url = h.hf_hub_url("acme/tiny", "model.safetensors")
    for asked, status, length in [("0-7", 206, 8), ("-16", 206, 16), (f"{size - 2}-", 206, 2), (f"{size}-", 416, 0), ("0-999999999", 206, size), ("0-1,4-5", 200, size)]:
        answer = get_session().get(url, headers={"Range": "bytes=" + asked}, follow_redirects=True)
        expect(f"range {asked}", (status, length), lambda: (answer.status_code, len(answer.content)))
    deep = get_session().get(h.hf_hub_url("acme/seventy", "model-00030-of-00030.safetensors"), headers={"Range": "bytes=4000000000-4000000009"}, follow_redirects=True)
    expect("range deep in a sparse shard", (206, b"\0" * 10), lambda: (deep.status_code, deep.content))
    expect("every answer says what is left", True, lambda: "r=" in get_session().get(hub["hub"] + "/api/models/acme/tiny").headers["RateLimit"])


def behind_mirror(program, hub, scratch):
    """The same verdicts straight from the hub and through olah, the one mirror server that the registries have."""
    python = scratch.parent / "olah" / "bin" / "python"  # absolute, as `scratch` is
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    # An environment of its own: it wants other releases of what the client uses.
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", OLAH]
    if subprocess.run(install, capture_output=True).returncode:
        return print(f"skipped hub, mirror: {OLAH} cannot be installed")
    port = free_port()
    here, address = f"127.0.0.1:{port}", lambda url: url.removeprefix("http://")
    options = {"host": "127.0.0.1", "port": port, "hf-scheme": "http", "hf-netloc": address(hub["hub"]), "hf-lfs-netloc": address(hub["cdn"]),
               "mirror-scheme": "http", "mirror-netloc": here, "mirror-lfs-netloc": here, "repos-path": scratch / "mirror"}  # fmt: skip
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    with open(scratch / "olah.log", "w") as log:
        mirror = subprocess.Popen([python, "-m", "olah.server", *words], cwd=scratch, stdout=log, stderr=log)
    try:
        wait_for(port, mirror, "olah, see olah.log")
        # Of a large weight file olah fetches 64 MiB before it answers: these are small ones.
        for model in ["acme/tiny", "acme/shards"]:
            direct = verdicts(program, hub["hub"], scratch, model)
            expect(f"verdicts on {model}", [0, {"upload": "pass", "fine-tune": "pass"}], lambda: direct)
            expect(f"verdicts on {model} through olah", direct, lambda: verdicts(program, f"http://{here}", scratch, model))
    finally:
        mirror.terminate()
        mirror.wait()


def verdicts(program, endpoint, scratch, model):
    env = {"HF_ENDPOINT": endpoint, "HF_HOME": str(scratch / "home")}
    command = [program, "check", "--format", "json", model]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=180)
    return [done.returncode, json.loads(done.stdout)["models"][0]["verdicts"]]


def main():
    program, scratch = sys.argv[1], Path(sys.argv[2]).absolute()
    shutil.rmtree(scratch, ignore_errors=True)
    root = scratch / "root"
    make_root(root)
    with loopback_hub(root, *TOKENS) as hub:
        os.environ |= {"HF_ENDPOINT": hub["hub"], "HF_HOME": str(scratch / "home"), "HF_HUB_DISABLE_XET": "1",
                       "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}  # fmt: skip
        os.environ.pop("HF_TOKEN", None)
        client(hub, root)
        behind_mirror(program, hub, scratch)


main()
