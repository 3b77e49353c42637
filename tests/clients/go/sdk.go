package main

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/respjson"
)

const written = "Slow models are worth waiting for."

var background = context.Background()

func sdkVersion() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/openai/openai-go/v3" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return "?"
}

// newClient makes a client that does not retry, unless the options say otherwise.
func newClient(options ...option.RequestOption) *openai.Client {
	defaults := []option.RequestOption{
		option.WithBaseURL(daemonURL + "/v1"), option.WithAPIKey(key), option.WithMaxRetries(0),
	}
	client := openai.NewClient(append(defaults, options...)...)
	return &client
}

func question(model, prompt string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)},
	}
}

func ask(client *openai.Client, model, prompt string, options ...option.RequestOption) (*openai.ChatCompletion, error) {
	return client.Chat.Completions.New(background, question(model, prompt), options...)
}

func answerOf(client *openai.Client, model, prompt string, options ...option.RequestOption) *openai.ChatCompletion {
	answer, err := ask(client, model, prompt, options...)
	must(err)
	isTrue(len(answer.Choices) == 1, "there is not one choice")
	return answer
}

func textOf(client *openai.Client, model, prompt string, options ...option.RequestOption) string {
	return answerOf(client, model, prompt, options...).Choices[0].Message.Content
}

// collect reads a stream to its end.
func collect(client *openai.Client, params openai.ChatCompletionNewParams) ([]openai.ChatCompletionChunk, error) {
	stream := client.Chat.Completions.NewStreaming(background, params)
	var chunks []openai.ChatCompletionChunk
	for stream.Next() {
		chunks = append(chunks, stream.Current())
	}
	return chunks, stream.Err()
}

func joined(chunks []openai.ChatCompletionChunk) string {
	text := ""
	for _, chunk := range chunks {
		for _, choice := range chunk.Choices {
			text += choice.Delta.Content
		}
	}
	return text
}

// accumulated reads a stream to its end with the SDK's own accumulator.
func accumulated(client *openai.Client, params openai.ChatCompletionNewParams) openai.ChatCompletionAccumulator {
	stream := client.Chat.Completions.NewStreaming(background, params)
	accumulator := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		isTrue(accumulator.AddChunk(stream.Current()), "the accumulator refuses a chunk: "+stream.Current().RawJSON())
	}
	must(stream.Err())
	return accumulator
}

// extraText reads a field that the SDK's types do not have, "" where it is absent.
func extraText(fields map[string]respjson.Field, field string) string {
	text := ""
	if found, ok := fields[field]; ok {
		must(json.Unmarshal([]byte(found.Raw()), &text))
	}
	return text
}

// explained is what went wrong in full: the SDK's own text of an error leaves the server's message out.
func explained(err error) string {
	var refused *openai.Error
	if errors.As(err, &refused) {
		return err.Error() + ": " + refused.RawJSON()
	}
	return err.Error()
}
