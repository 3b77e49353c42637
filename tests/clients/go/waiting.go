package main

import (
	"time"

	"github.com/openai/openai-go/v3/option"
)

const booting = "models that boot for 20 s"

// booted checks that the text came from one prediction, which took its time to boot.
func booted(prompt string, began time.Time, text string) {
	equal(text, "Booted at last.", "the answer")
	isTrue(time.Since(began) > 19*time.Second, "it did not boot")
	equal(len(predictions(prompt)), 1, "the number of predictions")
}

func addWaiting() {
	addLong(booting, "a whole answer waits for a model that boots", func() {
		began := time.Now()
		booted("boot, whole", began, textOf(newClient(option.WithMaxRetries(2)), "boots", "boot, whole"))
	})
	addLong(booting, "a stream waits for a model that boots", func() {
		began := time.Now()
		chunks, err := collect(newClient(option.WithMaxRetries(2)), question("boots", "boot, streamed"))
		must(err)
		booted("boot, streamed", began, joined(chunks))
	})
	addLong(booting, "the accumulator waits for a model that boots", func() {
		began := time.Now()
		final := accumulated(newClient(), withUsage(question("boots", "boot, accumulated")))
		booted("boot, accumulated", began, final.Choices[0].Message.Content)
	})
}
