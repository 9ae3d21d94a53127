package conf

import "time"

// Daemon is [daemon].
type Daemon struct {
	IdleExit time.Duration // under socket activation, exit when nobody asked for so long; 0: never
}

const defaultIdleExit = 5 * time.Minute

func readDaemon(t *table) Daemon {
	defer t.done()
	idle, ok := t.duration("idle_exit", true)
	if !ok {
		idle = defaultIdleExit
	}
	return Daemon{IdleExit: idle}
}
