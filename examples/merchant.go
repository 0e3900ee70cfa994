// A whole merchant, Go 1.22 and no package: WEFT_URL=… WEFT_KEY=… WEFT_SECRET=… go run examples/merchant.go
package main

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

var shipped sync.Map // keep it in your database

type problem struct{ Code, Detail, Remedy string }

func newNumber() string { // keep it in your database first: the same number again is the same order
	random := make([]byte, 15)
	_, _ = rand.Read(random)
	return "T" + hex.EncodeToString(random)
}

func place() (string, error) {
	order := map[string]any{"out_trade_no": newNumber(), "description": "A cup of tea", "amount": map[string]int{"total": 990}}
	body, _ := json.Marshal(order)
	request, err := http.NewRequest("POST", os.Getenv("WEFT_URL")+"/v1/orders", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("WEFT_KEY"))
	request.Header.Set("Content-Type", "application/json")
	placed, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("Weft does not answer. Try again. (%w)", err)
	}
	defer placed.Body.Close()
	var answer struct {
		CheckoutURL string `json:"checkout_url"`
		problem
	}
	if err := json.NewDecoder(placed.Body).Decode(&answer); err != nil {
		return "", err
	}
	if placed.StatusCode >= 300 {
		return "", fmt.Errorf("Weft says %s: %s %s", answer.Code, answer.Detail, answer.Remedy)
	}
	return answer.CheckoutURL, nil
}

func isGenuine(header http.Header, body []byte) bool {
	id, moment := header.Get("webhook-id"), header.Get("webhook-timestamp")
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEFT_SECRET"), "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, moment, body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	seconds, _ := strconv.ParseInt(moment, 10, 64)
	is_signed := false
	for _, signature := range strings.Split(header.Get("webhook-signature"), " ") {
		is_signed = is_signed || hmac.Equal([]byte(signature), []byte(expected))
	}
	return is_signed && time.Since(time.Unix(seconds, 0)).Abs() <= 5*time.Minute
}

func main() {
	http.HandleFunc("/buy", func(w http.ResponseWriter, r *http.Request) {
		checkout, err := place()
		if err != nil {
			log.Print(err)
			http.Error(w, err.Error(), 500)
			return
		}
		http.Redirect(w, r, checkout, 303)
	})
	http.HandleFunc("/weft", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !isGenuine(r.Header, body) {
			w.WriteHeader(401)
			return
		}
		var event struct {
			Type string
			Data struct {
				Order struct {
					OutTradeNo string `json:"out_trade_no"`
				}
			}
		}
		if err := json.Unmarshal(body, &event); err != nil {
			log.Print(err)
			w.WriteHeader(500)
			return
		}
		number := event.Data.Order.OutTradeNo
		if event.Type == "order.paid" {
			if _, was_shipped := shipped.LoadOrStore(number, true); !was_shipped {
				fmt.Println("ship", number) // once per out_trade_no
			}
		}
		// To order.fulfilment_cancelled this means: too late, it is on its way; without it the money goes back.
		answer := map[string]string{}
		if _, was_shipped := shipped.Load(number); was_shipped {
			answer["fulfilment"] = "fulfilled"
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "3000"), nil))
}
