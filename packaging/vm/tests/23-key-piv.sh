#!/bin/sh
# The smart card of the YubiKey in software, through its CCID interface: pcscd with
# Debian's driver, Yubico's own tool, and OpenSC.
. /vm/lib

cd "$mine"
keys "serial=12345678"

proves "pcscd has a reader with a card in it"
inserted() { timeout 10 pcsc_scan -n >scan 2>&1 || :; grep -q "Card inserted" scan; }
eventually "pcsc_scan sees a card" inserted
has "$(cat scan)" "Yubico YubiKey OTP+FIDO+CCID" "the reader"
has "$(cat scan)" "3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40" "the ATR"

proves "yubico-piv-tool makes a key, has it attested, and signs with it"
status=$(yubico-piv-tool -a status)
has "$status" "5.4.3" "the status"
has "$status" "12345678" "the status"
yubico-piv-tool -a generate -s 9a -A ECCP256 -o public.pem
yubico-piv-tool -a attest -s 9a -o certificate.pem
yubico-piv-tool -a import-certificate -s 9a -i certificate.pem
has "$(yubico-piv-tool -a verify-pin -P 123456 -a test-signature -s 9a -i certificate.pem 2>&1)" "Successful ECDSA verification." "the signature"
yubico-piv-tool -a verify-pin -P 654321 2>wrong && fail "a wrong PIN"
has "$(cat wrong)" "2 tries left" "a wrong PIN"
yubico-piv-tool -a set-chuid -a set-ccc

proves "RSA, whose messages take chained commands or long ones"
yubico-piv-tool -a generate -s 9d -A RSA2048 -o rsa.pem
yubico-piv-tool -a attest -s 9d -o rsa-certificate.pem
yubico-piv-tool -a import-certificate -s 9d -i rsa-certificate.pem
has "$(yubico-piv-tool -a verify-pin -P 123456 -a test-decipher -s 9d -i rsa-certificate.pem 2>&1)" "Successfully performed RSA decryption!" "the decryption"

proves "OpenSC signs and decrypts with both keys"
pkcs11-tool --test --login --pin 123456 >test 2>&1 || fail "$(cat test)"
has "$(cat test)" "No errors" "pkcs11-tool --test"

proves "a key that wants a touch waits for it, longer than pcscd would without being told"
yubico-piv-tool -a generate -s 9e -A ECCP256 --pin-policy never --touch-policy always -o touch.pem
yubico-piv-tool -a attest -s 9e -o touch-certificate.pem
yubico-piv-tool -a test-signature -s 9e -i touch-certificate.pem >signed 2>&1 &
asked=$!
equal "$(key blinks 60s)" "ok piv" "what blinks"
lacks "$(cat signed)" "Successful" "before the touch"
sleep 5 # what is shown here is that a while does no harm
equal "$(key blinks)" "ok piv" "what blinks after a while"
equal "$(key touch short)" "ok piv" "the touch"
wait $asked || fail "$(cat signed)"
has "$(cat signed)" "Successful ECDSA verification." "the signature"

proves "pulled out while it waits: the tool is told; put in again, it has its keys"
yubico-piv-tool -a test-signature -s 9e -i touch-certificate.pem >signed 2>&1 &
asked=$!
equal "$(key blinks 60s)" "ok piv" "what blinks"
key unplug
wait $asked && fail "signed by a key that is gone"
lacks "$(cat signed)" "Successful" "the signature"
key plug
eventually "the key" on_bus 1
ready() { yubico-piv-tool -a version >/dev/null 2>&1; }
eventually "the card" ready
has "$(yubico-piv-tool -a verify-pin -P 123456 -a test-signature -s 9a -i certificate.pem 2>&1)" "Successful ECDSA verification." "the signature"

proves "the three applications go on side by side"
equal "$(ykinfo -s -q)" 12345678 "the serial number while pcscd holds the reader"
has "$(fido2-token -L)" "vendor=0x1050" "FIDO while pcscd holds the reader"
