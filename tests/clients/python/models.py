"""The models that there are."""

import asyncio

import openai

from checks import equal, true
from sdk import checks, make, make_async


@checks.add("models.list")
def the_list_of_models_names_them_all():
    ids = {model.id for model in make().models.list()}
    true({"writer", "echo", "boots", "acme/tiny-writer"} <= ids, f"the list is {sorted(ids)}")


@checks.add("models.list")
def the_async_client_lists_them_too():
    async def run():
        async with make_async() as client:
            return [model.id async for model in client.models.list()]

    true("acme/tiny-writer" in asyncio.run(run()), "acme/tiny-writer is not in the list")


@checks.add("models.retrieve")
def one_model_is_told_of_by_its_name():
    for name in ("writer", "acme/tiny-writer"):
        model = make().models.retrieve(name)
        equal((model.id, model.object), (name, "model"))
        true(isinstance(model.created, int) and isinstance(model.owned_by, str), "created or owned_by is missing")


@checks.add("models.retrieve")
def a_model_that_is_not_there_is_not_found():
    try:
        make().models.retrieve("acme/nothing")
        raise AssertionError("it was found")
    except openai.NotFoundError as error:
        equal(error.code, "model_not_found")
