stopd () 
{ 
    p=$(cat d.pid 2> /dev/null);
    [ -n "$p" ] && kill $p;
    for i in $(seq 60);
    do
        [ -e "/proc/$p" ] && [ -n "$p" ] || return 0;
        sleep 0.2;
    done
}
