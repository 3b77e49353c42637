// The official OpenAI SDK for Go: all checks, which the other files of this folder hold by subject.
package main

import "os"

func main() {
	addWhole()
	addStreams()
	addModels()
	addConnections()
	addErrors()
	addRetries()
	addRetriesThatJoin()
	addVision()
	addLeaving()
	addWaiting()
	os.Exit(runChecks("OpenAI SDK for Go", sdkVersion()))
}
