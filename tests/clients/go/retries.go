package main

import (
	"net/http"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func addRetries() {
	add("retries", "a passing fault is tried again as a new prediction", func() {
		_, err := ask(newClient(option.WithMaxRetries(2)), "busy", "three times busy")
		equal(apiError(err).StatusCode, http.StatusServiceUnavailable, "the status")
		equal(len(predictions("three times busy")), 3, "the number of predictions")
	})
	add("retries", "what failed for good is not tried again", func() {
		for _, model := range []string{"failing", "late", "unsafe"} {
			_, err := ask(newClient(option.WithMaxRetries(2)), model, "only once, "+model)
			apiError(err)
			equal(len(predictions("only once, "+model)), 1, "the number of predictions of "+model)
		}
	})
}

// impatient makes a client that tries again when the transport gives up: what WithRequestTimeout ends, the SDK does not
// try again.
func impatient(client *http.Client) *openai.Client {
	return newClient(option.WithHTTPClient(client), option.WithMaxRetries(5))
}

func onlyOne(prompt, text string) {
	equal(text, "It took four seconds.", "the answer")
	found := predictions(prompt)
	equal(len(found), 1, "the number of predictions")
	equal(found[0].Status, "succeeded", "its status")
}

func addRetriesThatJoin() {
	addLong("retries that join", "a timeout of a second and a model of four cost one prediction", func() {
		client := impatient(&http.Client{Timeout: time.Second})
		onlyOne("impatient, whole", textOf(client, "slow", "impatient, whole"))
	})
	// A timeout of the whole exchange would also end the stream that has begun: this one ends with its headers.
	addLong("retries that join", "a streaming retry is told everything from the first piece", func() {
		transport := &http.Transport{ResponseHeaderTimeout: time.Second}
		defer transport.CloseIdleConnections()
		chunks, err := collect(impatient(&http.Client{Transport: transport}), question("slow", "impatient, streamed"))
		must(err)
		onlyOne("impatient, streamed", joined(chunks))
	})
	add("retries that join", "an idempotency key is one prediction", func() {
		var ids [2]string
		for i := range ids {
			var response *http.Response
			answerOf(newClient(), "echo", "only once, by key", option.WithHeader("Idempotency-Key", "the-same"),
				option.WithResponseInto(&response))
			ids[i] = response.Header.Get("x-replicate-prediction-id")
		}
		equal(ids[0], ids[1], "the second id")
		equal(len(predictions("only once, by key")), 1, "the number of predictions")
	})
}
