// A webhook receiver that needs nothing but Go 1.19: it verifies each delivery, stores it once, and then answers.
//
//	WEBHOOK_KEYS="whsec_..." go run receiver.go PORT INBOX
//
// A file INBOX/<webhook-id>.json is a delivery that was stored. Let another program process these files.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// How far the time of an attempt may be from this machine's clock.
const tolerance = 5 * time.Minute

// webhook.maxResultSize of the route (16Mi by default), and the JSON-RPC response around it.
const largest = 17 << 20

var fileName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// verify returns the id of the delivery, or an error unless one of the keys signed its id, its time and its body.
func verify(keys []string, header http.Header, body []byte, now time.Time) (string, error) {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	age := now.Sub(time.Unix(seconds, 0))
	if err != nil || age > tolerance || age < -tolerance {
		return "", errors.New("webhook-timestamp is missing, too old or in the future")
	}
	signatures := strings.Fields(header.Get("webhook-signature"))
	for _, key := range keys {
		text := strings.TrimRight(strings.TrimPrefix(key, "whsec_"), "=")
		secret, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			return "", fmt.Errorf("a key is not base64: %w", err)
		}
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%s.", id, timestamp)
		mac.Write(body)
		expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for _, given := range signatures {
			if hmac.Equal([]byte(given), []byte(expected)) {
				return id, nil
			}
		}
	}
	return "", errors.New("no signature in webhook-signature matches")
}

// store stores a delivery durably, and tells whether it is new: the name of the file is taken if it was stored before.
func store(inbox, id string, body []byte) (bool, error) {
	if !fileName.MatchString(id) {
		return false, errors.New("webhook-id is not a file name")
	}
	draft, err := os.CreateTemp(inbox, ".draft-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(draft.Name())
	defer draft.Close()
	if _, err := draft.Write(body); err != nil {
		return false, err
	}
	if err := draft.Sync(); err != nil {
		return false, err
	}
	switch err := os.Link(draft.Name(), filepath.Join(inbox, id+".json")); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	directory, err := os.Open(inbox)
	if err != nil {
		return false, err
	}
	defer directory.Close()
	return true, directory.Sync()
}

func receive(keys []string, inbox string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			refuse(w, http.StatusRequestEntityTooLarge, err)
			return
		}
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, err)
			return
		}
		id, err := verify(keys, r.Header, body, time.Now())
		if err != nil {
			refuse(w, http.StatusUnauthorized, err)
			return
		}
		isNew, err := store(inbox, id, body)
		if err != nil {
			// Not stored, so not accepted: the sender tries again.
			refuse(w, http.StatusServiceUnavailable, err)
			return
		}
		print(map[string]any{"webhookId": id, "tool": r.Header.Get("ce-subject"), "duplicate": !isNew})
		io.WriteString(w, "stored")
	}
}

func refuse(w http.ResponseWriter, status int, err error) {
	print(map[string]any{"refused": status, "why": err.Error()})
	http.Error(w, err.Error(), status)
}

func print(line map[string]any) {
	json.NewEncoder(os.Stdout).Encode(line)
}

func main() {
	port, inbox := os.Args[1], os.Args[2]
	keys := strings.Fields(os.Getenv("WEBHOOK_KEYS"))
	err := os.MkdirAll(inbox, 0o700)
	if err == nil {
		server := http.Server{
			Addr:              "127.0.0.1:" + port,
			Handler:           receive(keys, inbox),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       time.Minute,
		}
		err = server.ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
