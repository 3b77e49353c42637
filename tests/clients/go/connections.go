package main

import (
	"net/http"

	"github.com/openai/openai-go/v3/option"
)

func addConnections() {
	add("base URLs", "every way to write the base URL works", func() {
		for _, path := range []string{"", "/", "/v1", "/v1/"} {
			client := newClient(option.WithBaseURL(daemonURL + path))
			equal(textOf(client, "acme/tiny-writer", "hello"), written, "the answer at "+path)
			model, err := client.Models.Get(background, "acme/tiny-writer")
			must(err)
			equal(model.ID, "acme/tiny-writer", "the model's id")
		}
	})
	add("connections", "one connection serves whole answers, streams and errors in turn", func() {
		transport := &http.Transport{MaxConnsPerHost: 1}
		defer transport.CloseIdleConnections()
		client := newClient(option.WithHTTPClient(&http.Client{Transport: transport}))
		for range 3 {
			equal(textOf(client, "writer", "hello"), written, "the answer")
			chunks, err := collect(client, question("writer", "hello"))
			must(err)
			equal(joined(chunks), written, "the stream")
			_, err = ask(client, "failing", "hello")
			equal(apiError(err).Code, "prediction_failed", "the code")
		}
	})
	add("connections", "organization and project headers disturb nobody", func() {
		client := newClient(option.WithOrganization("org-none"), option.WithProject("proj-none"))
		equal(textOf(client, "writer", "hello"), written, "the answer")
	})
}
