"""The program against a real S3 server that checks signatures (s3s-fs), filled by the genuine AWS client (boto3).

    s3.py BINARY SCRATCH S3S_FS
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config

import checkpoints
from program import result
from servers import free_port, wait_for

KEY, SECRET = "AKIDOUTSIDE", "hunter2outside"
BUCKET = "models"
NAMES = ["config.json", "tokenizer.json", "tokenizer_config.json"]


@contextmanager
def s3s(server, root, *options):
    """A server over the buckets of `root`; gives its address."""
    port = free_port()
    process = subprocess.Popen([server, "--host", "127.0.0.1", "--port", str(port), *options, root], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process, "s3s-fs")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


class Program:
    def __init__(self, binary, home):
        self.binary, self.home = binary, home

    def check(self, model, **environment):
        """Exit code, report or nothing, and what it says on stderr. It never asks a metadata service."""
        env = {"HOME": str(self.home), "AWS_EC2_METADATA_DISABLED": "true", **environment}
        run = subprocess.run([self.binary, "check", model, "--target", "upload", "--format", "json"], env=env, capture_output=True, text=True, timeout=120)
        text = run.stdout + run.stderr
        leaked = [secret for secret in (KEY, SECRET, "X-Amz-Signature", "Signature=") if secret in text]
        if leaked:
            result(False, f"s3, {model}: no secret is shown", str(leaked))
        report = json.loads(run.stdout) if run.stdout else None
        return run.returncode, report, run.stderr


def inaccessible(report):
    """What the rule for access says."""
    rows = [row for row in report["models"][0]["rules"] if row["id"] == "repository-inaccessible"]
    return json.dumps([rows, report["models"][0]["message"]])


def failed(report):
    return [row["id"] for row in report["models"][0]["rules"] if row["outcome"] == "fail"]


def expect(name, got, wanted):
    result(got == wanted, f"s3, {name}", f"{got!r}, not {wanted!r}")


def holds(name, condition, shown):
    result(bool(condition), f"s3, {name}", str(shown)[-1500:])


def pack(folder, to):
    """The archives that the platform takes, made by Python's own modules."""
    with zipfile.ZipFile(to / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    for name, mode in [("model.tar", "w"), ("model.tar.gz", "w:gz")]:
        with tarfile.open(to / name, mode) as archive:
            archive.add(folder, ".")


def fill(client, folder, archives):
    client.create_bucket(Bucket=BUCKET)
    for path in folder.iterdir():
        client.upload_file(str(path), BUCKET, f"org/tiny/{path.name}")
        client.upload_file(str(path), BUCKET, f"org/odd #1 é+%41/{path.name}")
    client.put_object(Bucket=BUCKET, Key="org/tiny/sub dir/é #1.txt", Body=b"x")
    for name in ["model.zip", "model.tar", "model.tar.gz"]:
        client.upload_file(str(archives / name), BUCKET, f"archives/{name}")


def of(report):
    model = report["models"][0]
    return model["verdicts"], model["facts"]["parameters"]["total"], model["facts"]["weights"]["tensors"]


def signed(program, client, endpoint, folder):
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}
    code, local, _ = program.check(str(folder))
    code_s3, report, stderr = program.check(f"s3://{BUCKET}/org/tiny/", **keys)
    holds("a prefix is judged", code_s3 in (0, 1, 3) and report, stderr)
    expect("as the folder is", (code_s3, of(report)), (code, of(local)))
    expect("without a note", stderr, "")
    for address in [f"s3://{BUCKET}/org/tiny", f"s3://{BUCKET}/org/odd #1 é+%41/"]:
        expect(f"{address} as well", of(program.check(address, **keys)[1]), of(local))
    for name in ["model.zip", "model.tar", "model.tar.gz"]:
        code, report, stderr = program.check(f"s3://{BUCKET}/archives/{name}", **keys)
        expect(f"{name} is read", of(report)[1:], of(local)[1:])
        url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": f"archives/{name}"}, ExpiresIn=7200)
        code, report, stderr = program.check(url)
        expect(f"{name} is read behind a presigned URL", of(report)[1:], of(local)[1:])
        holds(f"{name}: its two hours are enough", "archive-url-expiring" not in failed(report), report["models"][0]["message"])
        code, report, stderr = program.check(url.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
        holds(f"{name}: a wrong signature leaves it undecided", code == 3, report["models"][0]["message"])
        short = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": f"archives/{name}"}, ExpiresIn=600)
        code, report, stderr = program.check(short)
        holds(f"{name}: ten minutes are not enough", code == 1 and "archive-url-expiring" in failed(report), report["models"][0]["message"])

    without = lambda *names: {name: value for name, value in keys.items() if name not in names}
    code, report, _ = program.check(f"s3://{BUCKET}/nothing/", **keys)
    holds("an empty prefix fails", code == 1 and "there is no object under" in inaccessible(report), inaccessible(report))
    code, report, _ = program.check("s3://no-such-bucket/x/", **keys)
    holds("a missing bucket fails", code == 1 and "there is no bucket `no-such-bucket`" in inaccessible(report), inaccessible(report))
    code, report, _ = program.check(f"s3://{BUCKET}/archives/none.zip", **keys)
    holds("a missing archive fails", code == 1 and "there is no object" in json.dumps(report), json.dumps(report["models"][0]["rules"]))
    code, report, _ = program.check(f"s3://{BUCKET}/org/tiny/", **{**keys, "AWS_SECRET_ACCESS_KEY": "wrong"})
    holds("a wrong secret key leaves it undecided", code == 3 and "does not accept the signature" in inaccessible(report), inaccessible(report))
    code, report, _ = program.check(f"s3://{BUCKET}/org/tiny/", **{**keys, "AWS_ACCESS_KEY_ID": "AKIDOTHER"})
    holds("an unknown access key leaves it undecided", code == 3, inaccessible(report))
    code, report, stderr = program.check(f"s3://{BUCKET}/org/tiny/", **without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    holds("a private bucket without credentials is undecided", code == 3 and "no credentials" in inaccessible(report), inaccessible(report))

    aws = program.home / ".aws"
    aws.mkdir(exist_ok=True)
    process = program.home / "a tool.py"
    process.write_text(f'import json; print(json.dumps({{"Version": 1, "AccessKeyId": "{KEY}", "SecretAccessKey": "{SECRET}"}}))')
    (aws / "config").write_text(f'[profile plain]\nregion = us-east-1\nendpoint_url = {endpoint}\n[profile tool]\nregion = us-east-1\nservices = here\ncredential_process = {sys.executable} "{process}"\n[services here]\ns3 =\n  endpoint_url = {endpoint}\n')
    (aws / "credentials").write_text(f"[plain]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    for profile in ["plain", "tool"]:
        code, report, stderr = program.check(f"s3://{BUCKET}/org/tiny/", AWS_PROFILE=profile)
        expect(f"profile `{profile}` of the files", of(report), of(local))
    code, _, stderr = program.check(f"s3://{BUCKET}/org/tiny/", AWS_PROFILE="nowhere")
    holds("an unknown profile is wrong usage", code == 2 and "nowhere" in stderr, stderr)
    shutil.rmtree(aws)


def public(program, endpoint, folder):
    _, local, _ = program.check(str(folder))
    code, report, stderr = program.check(f"s3://{BUCKET}/org/tiny/", AWS_ENDPOINT_URL=endpoint)
    expect("a public bucket is read without credentials", of(report), of(local))
    holds("and it is said", "no AWS credentials were found" in stderr, stderr)


def main():
    binary, scratch, server = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    shutil.rmtree(scratch, ignore_errors=True)
    root, home, folder = scratch / "root", scratch / "home", scratch / "tiny"
    for path in [root, home]:
        path.mkdir(parents=True)
    checkpoints.write_model(folder, shards=3)
    pack(folder, scratch)
    program = Program(os.path.abspath(binary), home)
    with s3s(server, root, "--access-key", KEY, "--secret-key", SECRET) as endpoint:
        client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1", config=Config(signature_version="s3v4"))
        fill(client, folder, scratch)
        signed(program, client, endpoint, folder)
    with s3s(server, root) as endpoint:
        public(program, endpoint, folder)


main()
