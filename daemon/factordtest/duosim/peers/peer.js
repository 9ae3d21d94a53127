// One call with Duo's own client for Node, @duosecurity/duo_api, read from
// standard input as in main.go. It knows no ports and trusts its own pins: the
// connection alone is led elsewhere, what it signs and sends stays its own.
const fs = require('fs')
const https = require('https')

const call = JSON.parse(fs.readFileSync(0, 'utf8'))
const [host, port] = call.Host.split(':')
const request = https.request
https.request = (options, done) => request({ ...options, port, ca: fs.readFileSync(call.CAFile) }, done)

const duo = require('@duosecurity/duo_api')
const client = new duo.Client(call.IKey, call.SKey, host, call.Version)
client.jsonApiCall(call.Method, call.Path, call.Params || {}, (answer) => {
  process.stdout.write(JSON.stringify(answer) + '\n')
})
