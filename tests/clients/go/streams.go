package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

func withUsage(params openai.ChatCompletionNewParams) openai.ChatCompletionNewParams {
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	return params
}

func addStreams() {
	add("streams", "a stream brings the whole text and ends in order", func() {
		chunks, err := collect(newClient(), question("writer", "hello"))
		must(err)
		equal(joined(chunks), written, "the text")
		last := len(chunks) - 1
		for i, chunk := range chunks {
			equal([]string{chunk.ID, string(chunk.Object), chunk.Model},
				[]string{chunks[0].ID, "chat.completion.chunk", "writer"}, "id, object and model")
			equal(chunk.Choices[0].Delta.Role == "assistant", i == 0, "the role is in this chunk, which")
			equal(chunk.Choices[0].FinishReason == "stop", i == last, "the finish reason is in this chunk, which")
			isTrue(!chunk.JSON.Usage.Valid(), "there is usage that nobody asked for")
		}
	})
	// That they come while the model still writes is seen where a stream without end is closed half-way.
	add("streams", "each piece that the model writes is a chunk of its own", func() {
		chunks, err := collect(newClient(), question("writer", "hello"))
		must(err)
		pieces := 0
		for _, chunk := range chunks {
			if chunk.Choices[0].Delta.Content != "" {
				pieces++
			}
		}
		equal(pieces, 6, "the number of pieces")
	})
	add("streams", "the headers of a stream can be read", func() {
		var response *http.Response
		stream := newClient().Chat.Completions.NewStreaming(background, question("writer", "hello"),
			option.WithResponseInto(&response))
		isTrue(stream.Next(), "nothing came")
		must(stream.Close())
		equal(response.Header.Get("content-type"), "text/event-stream; charset=utf-8", "the content type")
		isTrue(response.Header.Get("x-replicate-prediction-id") != "", "no prediction id")
	})
	add("usage", "include_usage adds a last chunk without choices", func() {
		chunks, err := collect(newClient(), withUsage(question("echo", "two words")))
		must(err)
		last := chunks[len(chunks)-1]
		for _, chunk := range chunks[:len(chunks)-1] {
			isTrue(!chunk.JSON.Usage.Valid(), "there is usage before the end")
		}
		equal(len(last.Choices), 0, "the number of choices")
		equal([]int64{last.Usage.PromptTokens, last.Usage.CompletionTokens}, []int64{2, 4}, "usage")
	})
	add("reasoning_content as an extra field", "reasoning is streamed before the answer", func() {
		chunks, err := collect(newClient(), question("thinker", "hello"))
		must(err)
		thoughts := ""
		for _, chunk := range chunks {
			delta := chunk.Choices[0].Delta
			thought := extraText(delta.JSON.ExtraFields, "reasoning_content")
			isTrue(thought == "" || delta.Content == "", "a thought and text are in one piece")
			isTrue(delta.Content == "" || thoughts == "First I think. Then I answer.", "text came before a thought")
			thoughts += thought
		}
		equal(joined(chunks), "The answer is 42.", "the text")
		equal(thoughts, "First I think. Then I answer.", "the thoughts")
	})
	add("ChatCompletionAccumulator", "the accumulator puts an answer together", func() {
		final := accumulated(newClient(), withUsage(question("writer", "hello")))
		equal(final.Choices[0].Message.Content, written, "the content")
		equal(string(final.Choices[0].Message.Role), "assistant", "the role")
		equal(final.Choices[0].FinishReason, "stop", "the finish reason")
		equal(final.Model, "writer", "the model")
		equal(final.Usage.CompletionTokens, 6, "completion tokens")
	})
	add("ChatCompletionAccumulator", "the accumulator tells when the content is finished", func() {
		stream := newClient().Chat.Completions.NewStreaming(background, question("thinker", "hello"))
		accumulator := openai.ChatCompletionAccumulator{}
		finished := []string{}
		for stream.Next() {
			isTrue(accumulator.AddChunk(stream.Current()), "the accumulator refuses a chunk")
			if content, ok := accumulator.JustFinishedContent(); ok && content != "" {
				finished = append(finished, content)
			}
		}
		must(stream.Err())
		equal(finished, []string{"The answer is 42."}, "what was finished")
	})
	add("errors in streams", "a failure in mid-stream comes after the text before it", func() {
		chunks, err := collect(newClient(), question("breaking", "hello"))
		equal(joined(chunks), "This will not ", "the text")
		var broken *ssestream.StreamError
		isTrue(errors.As(err, &broken), "it is no StreamError")
		holds(broken.Error(), "The model fell asleep in mid-sentence.", "the message")
		holds(string(broken.Event.Data), `"code":"prediction_failed"`, "the error")
		equal(strings.Count(broken.Error(), "failed. Replicate says:"), 1, "how often our sentence is told")
	})
	add("errors in streams", "a failure before any text has its status", func() {
		chunks, err := collect(newClient(), question("failing", "hello"))
		equal(len(chunks), 0, "the number of chunks")
		refusal(err, http.StatusUnprocessableEntity, "server_error", "", "prediction_failed", "tripped over its own feet")
	})
}
