# plot.gp -- the race as a picture: gnuplot -e "data='FILE'; peers='NAME ...'; out='FILE'" plot.gp
#
# A line of the data is a label, and for each peer the messages a second and the CPU seconds for 1,000.
# The background is transparent, and every colour has a contrast of 3 and more, the text's of 4, on white and
# on the near black of dark pages.
set terminal svg size 960,640 font "sans-serif,14"
set output out

text = "#76818c"
colour(peer) = peer eq "ours" ? 0xe36209 : peer eq "postfix" ? 0x3f83f8 : peer eq "opensmtpd" ? 0x2da44e : \
	peer eq "exim" ? 0xa371f7 : peer eq "exim-inetd" ? 0xd16dae : peer eq "floor-jailed" ? 0x8b949e : 0x6e7681
name(peer) = peer eq "ours" ? "smtp-stdio" : peer eq "postfix" ? "Postfix" : peer eq "opensmtpd" ? "OpenSMTPD" : \
	peer eq "exim" ? "Exim" : peer eq "exim-inetd" ? "Exim by inetd" : \
	peer eq "floor-jailed" ? "bare loop, jailed" : "bare loop"
short(y) = y >= 100 ? sprintf("%.0f", y) : y >= 10 ? sprintf("%.0f", y) : sprintf("%.2g", y)

n = words(peers)
width = 0.86 / n
at(i) = (i - (n + 1) / 2.0) * width

set border 1 lc rgb text
set style fill solid
set boxwidth width * 0.9
set xtics scale 0 textcolor rgb text
set xrange [-0.55:*]
unset ytics
set yrange [0:*]
set offsets 0, 0.05, graph 0.1, 0
set lmargin at screen 0.02
set rmargin at screen 0.98
set multiplot

set key at screen 0.98, 0.975 right top horizontal Left reverse textcolor rgb text samplen 1 width 1 maxrows 1
set label 1 at screen 0.02, 0.88 left textcolor rgb text
set tmargin at screen 0.845
set bmargin at screen 0.51
set label 1 "Messages of 4 KiB a second, delivered and synced, 10 connections (more is better)"
plot data using 0:(0):xtic(1) with dots lc rgb text notitle, \
	for [i = 1:n] data using ($0 + at(i)):(column(2 * i)) with boxes lc rgb colour(word(peers, i)) \
		title name(word(peers, i)), \
	for [i = 1:n] data using ($0 + at(i)):(column(2 * i)):(short(column(2 * i))) with labels center offset 0, 0.6 \
		font ",11" textcolor rgb text notitle
unset key
set label 1 at screen 0.02, 0.425
set tmargin at screen 0.39
set bmargin at screen 0.05
set label 1 "CPU seconds for 1,000 of them, of all processes (less is better)"
plot data using 0:(0):xtic(1) with dots lc rgb text, \
	for [i = 1:n] data using ($0 + at(i)):(column(2 * i + 1)) with boxes lc rgb colour(word(peers, i)), \
	for [i = 1:n] data using ($0 + at(i)):(column(2 * i + 1)):(short(column(2 * i + 1))) with labels center \
		offset 0, 0.6 font ",11" textcolor rgb text
unset multiplot
