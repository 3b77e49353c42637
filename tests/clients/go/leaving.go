package main

import (
	"context"
	"errors"
	"strings"
	"time"
)

func addLeaving() {
	add("leaving early", "a stream closed half-way cancels its prediction", func() {
		stream := newClient().Chat.Completions.NewStreaming(background, question("endless", "closed half-way"))
		text := ""
		for len(text) < 20 && stream.Next() {
			text += stream.Current().Choices[0].Delta.Content
		}
		must(stream.Err())
		must(stream.Close())
		isTrue(strings.HasPrefix(text, "on and on and "), "the text is "+text)
		endsAs("closed half-way", "canceled", 5*time.Second)
	})
	add("leaving early", "a cancelled context cancels the prediction of a stream", func() {
		ctx, cancel := context.WithCancel(background)
		stream := newClient().Chat.Completions.NewStreaming(ctx, question("endless", "context of a stream"))
		isTrue(stream.Next(), "nothing came")
		cancel()
		for stream.Next() {
		}
		isTrue(errors.Is(stream.Err(), context.Canceled), "the stream did not end as cancelled")
		endsAs("context of a stream", "canceled", 5*time.Second)
	})
	add("leaving early", "a cancelled context cancels the prediction of a whole answer", func() {
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		_, err := newClient().Chat.Completions.New(ctx, question("endless", "context of a question"))
		isTrue(errors.Is(err, context.DeadlineExceeded), "it did not end at its deadline")
		endsAs("context of a question", "canceled", 5*time.Second)
	})
	addLong("leaving early", "a client that may come back is given ten seconds", func() {
		stream := newClient().Chat.Completions.NewStreaming(background, question("patient", "back in a minute"))
		isTrue(stream.Next(), "nothing came")
		must(stream.Close())
		time.Sleep(6 * time.Second)
		endsAs("back in a minute", "processing", time.Second)
		endsAs("back in a minute", "canceled", 8*time.Second)
	})
}
