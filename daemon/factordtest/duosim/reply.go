package duosim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// fields are an object of a response.
type fields map[string]any

// failure is Duo's FAIL envelope. The HTTP status is the code's first three
// digits.
type failure struct {
	code   int
	detail string
}

func fail(code int, detail string) *failure { return &failure{code, detail} }

func (f *failure) message() string {
	switch f.code {
	case 40001:
		return "Missing required request parameters"
	case 40002:
		return "Invalid request parameters"
	case 40101:
		return "Missing request credentials"
	case 40102:
		return "Invalid integration key in request credentials"
	case 40103:
		return "Invalid signature in request credentials"
	case 40104:
		return "Missing request timestamp"
	case 40105:
		return "Bad request timestamp"
	case 40106:
		return "Invalid Content-Type header"
	case 40301:
		return "Access forbidden: wrong integration type"
	case 40401:
		return "Resource not found"
	case 40501:
		return "Method not allowed"
	case 42901:
		return "Too many requests"
	}
	return "Internal error"
}

// reply is what goes back: an envelope, or bytes.
type reply struct {
	status   int
	kind     string // Content-Type
	envelope fields
	raw      []byte // instead of envelope
	stream   int    // instead of both: the size of a body without end, nearly
	headers  map[string]string
	bson     bool // the envelope goes as BSON
}

func ok(response any) reply {
	return reply{status: http.StatusOK, kind: "application/json", envelope: fields{"stat": "OK", "response": response}}
}

func (f *failure) reply() reply {
	e := fields{"stat": "FAIL", "code": f.code, "message": f.message()}
	if f.detail != "" {
		e["message_detail"] = f.detail
	}
	return reply{status: f.code / 100, kind: "application/json", envelope: e}
}

func (r reply) bytes() []byte {
	if r.raw != nil {
		return r.raw
	}
	if r.bson {
		return encodeBSON(r.envelope)
	}
	b, err := json.Marshal(r.envelope)
	if err != nil {
		panic(err) // only text, numbers and lists are ever put in
	}
	return b
}

// write sends it with the service's own idea of the time.
func (r reply) write(w http.ResponseWriter, now time.Time) {
	h := w.Header()
	for name, value := range r.headers {
		h.Set(name, value)
	}
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", r.kind)
	if r.stream > 0 {
		w.WriteHeader(r.status)
		pour(w, r.stream)
		return
	}
	b := r.bytes()
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(r.status)
	w.Write(b)
}
