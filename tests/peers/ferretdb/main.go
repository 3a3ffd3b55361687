// A FerretDB of the tests' own: the MongoDB protocol over SQLite, on a loopback port that the system chooses.
//
// FerretDB's own command needs version files that only its release build makes; its embeddable package does not.
// Usage: ferretdb FOLDER [HOST:PORT]. It prints its URI on one line and ends when its standard input is closed, so
// that no test, however it dies, leaves a server behind.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) < 2 {
		return fmt.Errorf("usage: ferretdb FOLDER [HOST:PORT]")
	}
	address := "127.0.0.1:0"
	if len(os.Args) > 2 {
		address = os.Args[2]
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: address},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[1] + "/",
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		fmt.Println(server.MongoDBURI())
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return server.Run(ctx)
}
