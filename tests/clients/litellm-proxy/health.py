"""The proxy's health. What load balancers and containers ask for must cost nothing: no prediction may come of it.

Its /health is another matter: LiteLLM asks the models something there, each time, and each question is a prediction.
That is LiteLLM's way, and so it is here; whoever lets something poll /health pays for it.
"""

import json
import os
import urllib.request

from checks import equal, predictions
from sdk import checks


def get(path):
    request = urllib.request.Request(os.environ["PROXY_URL"] + path, headers={"Authorization": "Bearer sk-proxy-key"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def written_so_far():
    return sum(one["model"] == "acme/writer" for one in predictions(""))


@checks.add("health")
def liveliness_and_readiness_create_no_prediction():
    before = len(predictions(""))
    equal(get("/health/liveliness"), "I'm alive!")
    equal(get("/health/readiness")["status"], "healthy")
    equal(len(predictions("")), before, "the number of predictions")


@checks.add("health")
def health_finds_the_model_well_by_a_real_prediction():
    before = written_so_far()
    health = get("/health?model=writer")
    equal((health["healthy_count"], health["unhealthy_count"]), (1, 0), f"of {health}")
    equal(written_so_far(), before + 1, "the number of predictions")
