#!/usr/bin/env bash
# Makes the files of this folder anew from source.csv, with LibreOffice Calc: bash tabular/testdata/make.sh
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

convert() { # FILE FILTER [INPUT FILTER]
  soffice --headless -env:UserInstallation="file://$work/profile" ${3:+--infilter="$3"} --convert-to "$2" --outdir "$work" "$1" >/dev/null
}

# What the numbers mean is in LibreOffice's "Filter Options for CSV": separator, quotes, encoding, first line, and the
# columns' types: 2 is text, 5 a date as YYYY-MM-DD, 1 whatever it looks like.
convert source.csv xlsx 'CSV:44,34,76,1,1/2/2/5/3/1/4/2/5/2/6/2/7/2'
mv "$work/source.xlsx" libreoffice.xlsx
csv() { # NAME SEPARATOR ENCODING
  convert libreoffice.xlsx "csv:Text - txt - csv (StarCalc):$2,34,$3,1,,0,false,true"
  mv "$work/libreoffice.csv" "$1"
}
csv libreoffice-utf8.csv 44 76
csv libreoffice-windows1252.csv 59 1
csv libreoffice-utf16.csv 9 65535
