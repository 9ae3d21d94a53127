package conf

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// unitDirs are where systemd has the units of a system, the first that has one
// (systemd.unit(5)).
func unitDirs() []string {
	return []string{"/etc/systemd/system.control", "/run/systemd/system.control", "/etc/systemd/system", "/run/systemd/system",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// loading is what factord's unit says of a credential.
type loading int

const (
	notKnown   loading = iota
	notLoaded          // it names no such credential
	fromStore          // it takes what is in a store, if anything is
	fromOthers         // it says where the credential is from
)

// loads reads factord.service and its drop-ins in dirs for what becomes of a credential
// (systemd.exec(5)).
func loads(dirs []string, name string) loading {
	files, ok := unitFiles(dirs)
	if !ok {
		return notKnown
	}
	result := notLoaded
	for _, file := range files {
		text, err := readUnit(file)
		if err != nil {
			return notKnown
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			result = max(result, credential(strings.TrimSpace(key), strings.TrimSpace(value), name))
		}
	}
	return result
}

// credential is what one line of a unit says of the credential name.
func credential(key, value, name string) loading {
	id, _, named := strings.Cut(value, ":")
	switch key {
	case "LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted":
		switch {
		case strings.Contains(id, "%"): // a specifier
			return fromOthers
		case id == name && !named:
			return fromStore
		case id == name, named && strings.HasPrefix(name, id+"_"): // the files of a folder
			return fromOthers
		}
	case "ImportCredential":
		if ok, err := filepath.Match(id, name); ok || err != nil {
			return fromStore
		}
	}
	return notLoaded
}

// unitFiles are the unit and its drop-ins; false: there is no unit, or not all is to be
// seen.
func unitFiles(dirs []string) (files []string, ok bool) {
	for _, dir := range dirs {
		unit := filepath.Join(dir, Account+".service")
		switch _, err := os.Stat(unit); {
		case err == nil && !ok:
			files, ok = append(files, unit), true
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, false
		}
		for _, below := range []string{unit + ".d", filepath.Join(dir, "service.d")} {
			entries, err := os.ReadDir(below)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, false
			}
			for _, e := range entries {
				if strings.HasSuffix(e.Name(), ".conf") {
					files = append(files, filepath.Join(below, e.Name()))
				}
			}
		}
	}
	return files, ok
}

func readUnit(file string) (string, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", nil // masked, by /dev/null
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize))
	return string(text), err
}
