package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/openai/openai-go/v3"
)

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAQUBAScY42YAAAAASUVORK5CYII="

func lookAt(url, prompt, model string) (*openai.ChatCompletion, error) {
	return newClient().Chat.Completions.New(background, openai.ChatCompletionNewParams{
		Model: model,
		Messages: []openai.ChatCompletionMessageParamUnion{
			openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
				openai.TextContentPart(prompt),
				openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: url}),
			}),
		},
	})
}

// seen is what the model that looks at images is given for one with that address.
func seen(url, prompt string) string {
	answer, err := lookAt(url, prompt, "seer")
	must(err)
	equal(answer.Choices[0].Message.Content, "I see a cat.", "the answer")
	found := predictions(prompt)
	equal(len(found), 1, "the number of predictions")
	var input struct {
		Picture string `json:"picture"`
	}
	must(json.Unmarshal(found[0].Input, &input))
	return input.Picture
}

func addVision() {
	add("images", "an image by its address reaches the model's own input", func() {
		url := "https://example.com/cat.png"
		equal(seen(url, "What is at this address?"), url, "the picture")
	})
	add("images", "a small image is sent within the input", func() {
		url := "data:image/png;base64," + pixel
		equal(seen(url, "What is within?"), url, "the picture")
	})
	add("images", "a large image is uploaded before", func() {
		small, err := base64.StdEncoding.DecodeString(pixel)
		must(err)
		large := base64.StdEncoding.EncodeToString(append(small, make([]byte, 1_000_000)...))
		picture := seen("data:image/png;base64,"+large, "What is large?")
		isTrue(strings.HasPrefix(picture, "http"), "it was not uploaded")
	})
	add("images", "an image for a model that reads none is refused in a sentence", func() {
		_, err := lookAt("https://example.com/cat.png", "Who looks?", "echo")
		refusal(err, 400, "invalid_request_error", "messages[0].content[1]", "unsupported_parameter",
			"is an image, and the model `echo` takes text only.")
	})
}
