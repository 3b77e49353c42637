package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func apiError(err error) *openai.Error {
	var refused *openai.Error
	if !errors.As(err, &refused) {
		fail("it is no openai.Error: %v", err)
	}
	return refused
}

// refusal checks that the daemon answered with that status, type, param and code ("" where they are null), and that
// its message says those words.
func refusal(err error, status int, kind, param, code, words string) *openai.Error {
	refused := apiError(err)
	equal(refused.StatusCode, status, "the status")
	equal([]string{refused.Type, refused.Param, refused.Code}, []string{kind, param, code}, "type, param and code")
	holds(refused.Message, words, "the message")
	var all map[string]any
	must(json.Unmarshal([]byte(refused.RawJSON()), &all))
	equal(len(all), 4, "the number of keys of the error")
	isTrue(strings.HasPrefix(refused.Response.Header.Get("x-request-id"), "req_"), "no request id")
	return refused
}

func refusedAsk(client *openai.Client, model string, options ...option.RequestOption) error {
	_, err := ask(client, model, "hello", options...)
	return err
}

func addErrors() {
	add("error classes", "400: no message at all", func() {
		_, err := newClient().Chat.Completions.New(background, openai.ChatCompletionNewParams{
			Model: "writer", Messages: []openai.ChatCompletionMessageParamUnion{},
		})
		refusal(err, 400, "invalid_request_error", "messages", "invalid_value", "Send at least one message.")
	})
	add("error classes", "400: a wrong type names the parameter", func() {
		err := refusedAsk(newClient(), "writer", option.WithJSONSet("temperature", "warm"))
		refusal(err, 400, "invalid_request_error", "temperature", "invalid_type", "`temperature` has to be a number")
	})
	add("error classes", "400: a safety filter", func() {
		refusal(refusedAsk(newClient(), "unsafe"), 400, "invalid_request_error", "", "content_policy_violation",
			"The model's safety filter stopped the prediction")
	})
	add("error classes", "400: strict parameters", func() {
		err := refusedAsk(newClient(), "strict", option.WithJSONSet("logit_bias", map[string]int{"1": 2}))
		refusal(err, 400, "invalid_request_error", "logit_bias", "unsupported_parameter", "has no input for `logit_bias`")
	})
	add("error classes", "401: a wrong key", func() {
		refused := refusal(refusedAsk(newClient(option.WithAPIKey(key+"-but-wrong")), "writer"), 401,
			"invalid_request_error", "", "invalid_api_key", "Incorrect API key provided.")
		isTrue(!strings.Contains(refused.RawJSON(), key), "the message holds the key")
	})
	add("error classes", "401: no key", func() {
		err := refusedAsk(newClient(option.WithHeaderDel("Authorization")), "writer")
		refusal(err, 401, "invalid_request_error", "", "", "API key")
	})
	add("error classes", "403: a model that the key may not use", func() {
		client := newClient(option.WithAPIKey("writer-key"))
		equal(textOf(client, "writer", "hello"), written, "the answer")
		refusal(refusedAsk(client, "echo"), 403, "invalid_request_error", "model", "model_not_allowed", "`echo`")
	})
	add("error classes", "404: an unknown model", func() {
		refusal(refusedAsk(newClient(), "nobody/nothing"), 404, "invalid_request_error", "model", "model_not_found",
			"The model `nobody/nothing` does not exist here.")
	})
	add("error classes", "404: an unknown path", func() {
		client := newClient()
		err := client.Post(background, "nowhere", map[string]any{}, nil)
		refusal(err, 404, "invalid_request_error", "", "", "/v1/nowhere")
	})
	add("error classes", "405: a wrong method", func() {
		client := newClient()
		refused := apiError(client.Get(background, "chat/completions", nil, nil))
		equal(refused.StatusCode, 405, "the status")
		equal(refused.Code, "method_not_supported", "the code")
		holds(refused.Response.Header.Get("Allow"), "POST", "Allow")
	})
	add("error classes", "422: a failed prediction", func() {
		_, err := ask(newClient(), "failing", "my secret plans")
		refused := refusal(err, 422, "server_error", "", "prediction_failed", "The model tripped over its own feet.")
		holds(refused.Message, refused.Response.Header.Get("x-replicate-prediction-id"), "the message")
		isTrue(!strings.Contains(refused.RawJSON(), "secret plans"), "the message holds the prompt")
	})
	add("error classes", "429: the second request in a minute of a limited model", func() {
		must(refusedAsk(newClient(), "limited"))
		refused := refusal(refusedAsk(newClient(), "limited"), 429, "rate_limit_error", "", "rate_limit_exceeded",
			"limit of 1 request per minute")
		seconds, err := strconv.Atoi(refused.Response.Header.Get("retry-after"))
		isTrue(err == nil && seconds > 0 && seconds <= 60, "retry-after is not within a minute")
	})
	add("error classes", "503: a passing fault of Replicate", func() {
		refusal(refusedAsk(newClient(), "busy"), 503, "server_error", "", "upstream_transient_failure", "Try again.")
	})
	add("error classes", "504: a model that does not answer in time", func() {
		refusal(refusedAsk(newClient(), "late"), 504, "server_error", "", "timeout", "did not answer within 1 s")
	})
	add("error classes", "a client that does not wait gets a timeout", func() {
		_, err := ask(newClient(), "slow", "who will not wait", option.WithRequestTimeout(500*time.Millisecond))
		isTrue(errors.Is(err, context.DeadlineExceeded), "it is no deadline: "+err.Error())
		equal(len(predictions("who will not wait")), 1, "the number of predictions")
	})
	add("error classes", "a daemon that is not there refuses the connection", func() {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		url := "http://" + taken.Addr().String() + "/v1"
		must(taken.Close())
		err = refusedAsk(newClient(option.WithBaseURL(url)), "writer")
		isTrue(errors.Is(err, syscall.ECONNREFUSED), "the connection was not refused: "+err.Error())
	})
}
