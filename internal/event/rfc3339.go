package event

// scanRFC3339 reads a time of RFC 3339 at i, after its opening quote, with the
// closing one, as µs since 1970. It returns -1 for any other text, and leaves
// years before 1970 to the general way as well.
func scanRFC3339(b []byte, i int) (t int64, next int) {
	const shape = `2006-01-02T15:04:05Z"`
	if len(b)-i < len(shape) {
		return 0, -1
	}
	s := b[i:]
	year, month, day := 100*pair(s, 0)+pair(s, 2), pair(s, 5), pair(s, 8)
	hour, minute, second := pair(s, 11), pair(s, 14), pair(s, 17)
	if s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' ||
		year < 1970 || pair(s, 0) > 99 || pair(s, 2) > 99 || month < 1 || month > 12 ||
		day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, -1
	}
	t = ((daysBefore(year, month, day)*24+int64(hour))*60+int64(minute))*60 + int64(second)
	micro, at := fraction(b, i+19)
	offset, at := zone(b, at)
	if at < 0 || at == len(b) || b[at] != '"' {
		return 0, -1
	}
	return (t-offset)*1_000_000 + micro, at + 1
}

// pair returns the number that two digits make, or one above 99.
func pair(b []byte, i int) int {
	tens, ones := int(b[i]-'0'), int(b[i+1]-'0') // bytes: large below '0'
	if tens > 9 || ones > 9 {
		return 100
	}
	return 10*tens + ones
}

func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)%2 // 31 in odd months to July, in even ones from August
}

// daysBefore returns the days from 1970-01-01 to a day of the Gregorian calendar.
// A year counts from March here, so that the leap day is its last.
func daysBefore(year, month, day int) int64 {
	month -= 3
	if month < 0 {
		month += 12
		year--
	}
	const toEpoch = 719_468 // from 0000-03-01
	return int64(365*year + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - toEpoch)
}

// fraction reads a point and digits, if there are any, as whole µs.
func fraction(b []byte, i int) (micro int64, next int) {
	if i == len(b) || b[i] != '.' {
		return 0, i
	}
	next = skipDigits(b, i+1)
	if next == i+1 {
		return 0, i // of the point, zone makes nothing
	}
	for k := i + 1; k <= i+6; k++ {
		micro *= 10
		if k < next {
			micro += int64(b[k] - '0')
		}
	}
	return micro, next
}

// zone reads Z or an offset as seconds east of UTC.
func zone(b []byte, i int) (seconds int64, next int) {
	if i < len(b) && b[i] == 'Z' {
		return 0, i + 1
	}
	if len(b)-i < len("+00:00") || b[i] != '+' && b[i] != '-' || b[i+3] != ':' {
		return 0, -1
	}
	hours, minutes := pair(b, i+1), pair(b, i+4)
	if hours > 23 || minutes > 59 {
		return 0, -1
	}
	seconds = int64(hours*60+minutes) * 60
	if b[i] == '-' {
		seconds = -seconds
	}
	return seconds, i + 6
}
