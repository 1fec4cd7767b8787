import resource, time, threading
from connector.work.engine import Engine
from connector.storage import ledger
from connector.storage.ledger import Key, Kind
from datetime import timedelta, datetime, UTC
from .worker import real_time
import pytest
@pytest.mark.parametrize("wake",[20,50])
def test_idle(postgresql_database, redis_url, wake):
    ev=threading.Event(); at=[0]
    def handle(c,r): at[0]=time.perf_counter(); ev.set()
    e=Engine(postgresql_database, handle, broker_url=redis_url, clock=real_time, wake=timedelta(milliseconds=wake)); e.start()
    time.sleep(1)
    lat=[]
    for i in range(200):
        ev.clear()
        with postgresql_database.begin() as c: ledger.touch(c,Key(Kind.UPKEEP,str(i%50)),due_at=real_time())
        t=time.perf_counter(); ev.wait(5); lat.append((at[0]-t)*1e3); time.sleep(.02)
    lat.sort(); print("wake",wake,"p50 %.1f p95 %.1f"%(lat[100],lat[190]))
    a=resource.getrusage(resource.RUSAGE_SELF); time.sleep(6); b=resource.getrusage(resource.RUSAGE_SELF)
    print("idle CPU %.2f%%"%((b.ru_utime+b.ru_stime-a.ru_utime-a.ru_stime)/6*100))
    e.stop()
