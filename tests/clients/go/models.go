package main

import (
	"net/http"
	"slices"
)

func addModels() {
	add("Models.List", "the list of models names them all", func() {
		page, err := newClient().Models.List(background)
		must(err)
		ids := []string{}
		for _, model := range page.Data {
			ids = append(ids, model.ID)
		}
		for _, id := range []string{"writer", "echo", "boots", "acme/tiny-writer"} {
			isTrue(slices.Contains(ids, id), id+" is not in the list")
		}
	})
	add("Models.List", "the list that pages by itself comes to an end", func() {
		pager := newClient().Models.ListAutoPaging(background)
		seen := 0
		for pager.Next() && seen < 1000 {
			seen++
		}
		must(pager.Err())
		isTrue(seen > 10 && seen < 100, "the list does not end, or is empty")
	})
	add("Models.Get", "one model is told of by its name, also with a slash", func() {
		for _, id := range []string{"writer", "acme/tiny-writer"} {
			client := newClient()
			model, err := client.Models.Get(background, id)
			must(err)
			equal([]string{model.ID, string(model.Object)}, []string{id, "model"}, "id and object")
			isTrue(model.Created > 0 && model.OwnedBy != "", "created or owned_by is missing")
		}
	})
	add("Models.Get", "a model that is not there is not found", func() {
		_, err := newClient().Models.Get(background, "acme/nothing")
		equal(apiError(err).StatusCode, http.StatusNotFound, "the status")
		equal(apiError(err).Code, "model_not_found", "the code")
		holds(apiError(err).Message, "The model `acme/nothing` does not exist", "the message")
	})
}
