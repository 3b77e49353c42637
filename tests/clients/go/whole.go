package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func addWhole() {
	add("Chat.Completions.New", "a completion is answered", func() {
		answer := answerOf(newClient(), "writer", "hello")
		equal(string(answer.Object), "chat.completion", "the object")
		equal(answer.Model, "writer", "the model")
		equal(answer.Choices[0].Message.Content, written, "the content")
		equal(string(answer.Choices[0].Message.Role), "assistant", "the role")
		equal(answer.Choices[0].FinishReason, "stop", "the finish reason")
		isTrue(strings.HasPrefix(answer.ID, "chatcmpl-"), "the id is "+answer.ID)
	})
	add("Chat.Completions.New", "the prompt reaches the model and comes back in any script", func() {
		for _, prompt := range []string{"hello", "Grüße, 世界 🌍🏽!", "quotes \" and\na new line", "<b>&amp;</b>"} {
			equal(textOf(newClient(), "echo", prompt), "You said: "+prompt, "the answer")
		}
	})
	add("Chat.Completions.New", "a conversation with system, developer and assistant messages reaches the model", func() {
		answer, err := newClient().Chat.Completions.New(background, openai.ChatCompletionNewParams{
			Model: "echo",
			Messages: []openai.ChatCompletionMessageParamUnion{
				openai.SystemMessage("Be brief."), openai.DeveloperMessage("Be kind."), openai.UserMessage("one"),
				openai.AssistantMessage("two"),
				openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("three")}),
			},
			Temperature: openai.Float(0.5), Seed: openai.Int(7), MaxCompletionTokens: openai.Int(50),
			User: openai.String("somebody"), Store: openai.Bool(false),
		})
		must(err)
		for _, words := range []string{"one", "two", "three"} {
			holds(answer.Choices[0].Message.Content, words, "the answer")
		}
	})
	add("usage", "usage is what the model reports", func() {
		usage := answerOf(newClient(), "echo", "two words").Usage
		equal([]int64{usage.PromptTokens, usage.CompletionTokens, usage.TotalTokens}, []int64{2, 4, 6}, "usage")
	})
	add("usage", "usage that nobody reports is estimated", func() {
		var response *http.Response
		usage := answerOf(newClient(), "uncounted", "hello", option.WithResponseInto(&response)).Usage
		equal(response.Header.Get("x-replibridge-usage"), "estimated", "the header")
		isTrue(usage.CompletionTokens > 0 && usage.TotalTokens == usage.PromptTokens+usage.CompletionTokens, "no sum")
	})
	add("reasoning_content as an extra field", "reasoning is set apart", func() {
		message := answerOf(newClient(), "thinker", "hello").Choices[0].Message
		equal(message.Content, "The answer is 42.", "the content")
		for _, field := range []string{"reasoning_content", "reasoning"} {
			equal(extraText(message.JSON.ExtraFields, field), "First I think. Then I answer.", field)
		}
	})
	add("raw response headers", "the headers of an answer can be read", func() {
		var response *http.Response
		answerOf(newClient(), "writer", "hello", option.WithResponseInto(&response),
			option.WithHeader("X-Request-Id", "my-own-id"))
		equal(response.Header.Get("x-request-id"), "my-own-id", "the request id")
		equal(response.Header.Get("x-replibridge-usage"), "reported", "the header")
		equal(response.Header.Get("content-type"), "application/json", "the content type")
		isTrue(response.Header.Get("x-replicate-prediction-id") != "", "no prediction id")
	})
	add("goroutines", "twenty questions at once get their own answers", func() {
		var said [20]string
		var asked sync.WaitGroup
		client := newClient()
		for i := range said {
			asked.Go(func() {
				answer, err := ask(client, "echo", fmt.Sprintf("number %d", i))
				if err != nil {
					said[i] = explained(err)
				} else {
					said[i] = answer.Choices[0].Message.Content
				}
			})
		}
		asked.Wait()
		for i := range said {
			equal(said[i], fmt.Sprintf("You said: number %d", i), "the answer")
		}
	})
}
