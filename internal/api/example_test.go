package api_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// An Uploader sends many files. What failed is told by its notices; Run returns an error only for what ends everything.
func ExampleUploader() {
	ctx := context.Background()
	client := &api.Client{Base: "https://caseload.example", Token: "cl_…"}
	opened, err := client.CreateCase(ctx, api.NewCase{Number: "2026-118", Patient: "Kim Minsu"})
	if err != nil {
		log.Fatal(err)
	}
	var sources []api.Source
	for _, name := range []string{"scan/IM0001", "scan/IM0002", "upper.stl"} {
		source, err := api.FileSource(name, "scan")
		if err != nil {
			log.Fatal(err)
		}
		sources = append(sources, source)
	}
	uploader := &api.Uploader{Client: client, Case: opened.ID, Tell: func(n api.Notice) {
		switch n.Stage {
		case api.StageSending:
			fmt.Printf("%s: %d of %d bytes\n", sources[n.Index].Name, n.Sent, sources[n.Index].Size)
		case api.StageFailed:
			fmt.Printf("%s: %v\n", sources[n.Index].Name, n.Err)
		}
	}}
	outcome, err := uploader.Run(ctx, sources)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d stored, %d there before, %d failed\n", outcome.Stored, outcome.Received, outcome.Failed)
}

// The kind of an error tells what to do about it, whether the server said it or a file could not be read.
func ExampleClient() {
	client := &api.Client{Base: "https://caseload.example", Token: "cl_…"}
	found, err := client.Cases(context.Background(), api.CaseQuery{Text: "Kim"})
	switch caseload.KindOf(err) {
	case caseload.Unauthenticated:
		log.Fatal("the token has ended")
	case caseload.Unavailable:
		log.Fatal("try again later")
	}
	for _, c := range found.Cases {
		fmt.Println(c.Number, c.Patient, c.Files)
	}
}

// Checksum is how the API and the store name the bytes they received.
func ExampleChecksum() {
	sum, err := api.Checksum(strings.NewReader("123456789"))
	fmt.Println(sum, err)
	// Output: rosUhgp5mIg= <nil>
}
