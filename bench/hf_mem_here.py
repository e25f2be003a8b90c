"""hf-mem on another hub than huggingface.co, whose name is written into it: only the host of its requests is changed."""

import os
import sys

import httpx2
from hf_mem.cli import main

here = httpx2.URL(os.environ["HF_ENDPOINT"])
original = httpx2.AsyncClient.build_request


def build_request(self, method, url, **more):
    url = httpx2.URL(str(url))
    if url.host == "huggingface.co":
        url = url.copy_with(scheme=here.scheme, host=here.host, port=here.port)
    return original(self, method, url, **more)


httpx2.AsyncClient.build_request = build_request
sys.exit(main())
