// Clients of Duo that somebody else wrote: a module of their own, so that their
// sums stay out of factord's.
module github.com/factord/factord/daemon/factordtest/duosim/peers

go 1.26.0

require github.com/duosecurity/duo_api_golang v0.0.0-20250430191550-ac36954387e7
