// SPDX-License-Identifier: GPL-2.0
/*
 * See shim.h. Everything that inline or generic Rust code can reach from
 * another module is exported; the rest is for the library alone.
 */

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/jump_label.h>
#include <linux/kobject.h>
#include <linux/lockdep.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/wait.h>

#include "shim.h"

/*
 * Runs what has to wait for a grace period and then for process context. What
 * is on its way is listed, each with the era in which it was given, so that a
 * module does not go before all that was given until then is through: any of it
 * may need the module's code, whoever gave it. What is given away by what runs
 * is of the same era, as it may need that code too. What others go on to give
 * is of a later one: who waits looks no longer once the earlier ones are gone.
 */
static struct workqueue_struct *reclaim_wq;
static DEFINE_RAW_SPINLOCK(reclaim_lock);
/* In neither list of those that wait does the era fall from one to the next. */
static LIST_HEAD(reclaim_waiting);
static LIST_HEAD(reclaim_inherited);	/* given away by what ran */
static LIST_HEAD(reclaim_running);
static u64 reclaim_era;
static DECLARE_WAIT_QUEUE_HEAD(reclaim_gone);
#ifdef CONFIG_LOCKDEP
/* Held by what runs, and for a moment by who waits: that one must have nothing it needs. */
static struct lockdep_map reclaim_map =
	STATIC_LOCKDEP_MAP_INIT("childkernel_reclaim", &reclaim_map);
#endif

/*
 * Not on the worker's stack: what runs may die, and then stays listed for good.
 */
struct reclaim_run {
	struct list_head node;
	struct task_struct *worker;
	u64 era;
	void (*func)(struct childkernel_reclaim *r);
};

int childkernel_reclaim_init(void)
{
	reclaim_wq = alloc_workqueue("childkernel_reclaim", WQ_UNBOUND, 0);
	return reclaim_wq ? 0 : -ENOMEM;
}

static bool reclaim_list_has(struct list_head *list, u64 era)
{
	struct childkernel_reclaim *first =
		list_first_entry_or_null(list, struct childkernel_reclaim, node);

	return first && first->era <= era;
}

/* Whether anything is left of that era or an earlier one. */
static bool reclaim_has(u64 era)
{
	struct reclaim_run *run;
	bool has;

	raw_spin_lock_irq(&reclaim_lock);
	has = reclaim_list_has(&reclaim_waiting, era) ||
	      reclaim_list_has(&reclaim_inherited, era);
	list_for_each_entry(run, &reclaim_running, node)
		has |= run->era <= era;
	raw_spin_unlock_irq(&reclaim_lock);
	return has;
}

static bool reclaim_list_needs(struct list_head *list, const struct module *mod)
{
	struct childkernel_reclaim *r;

	list_for_each_entry(r, list, node)
		if (within_module((unsigned long)r->func, mod))
			return true;
	return false;
}

/* Whether anything is left that ends in a function of that module. */
static bool reclaim_needs(const struct module *mod)
{
	struct reclaim_run *run;
	bool needs;

	raw_spin_lock_irq(&reclaim_lock);
	needs = reclaim_list_needs(&reclaim_waiting, mod) ||
		reclaim_list_needs(&reclaim_inherited, mod);
	list_for_each_entry(run, &reclaim_running, node)
		needs |= within_module((unsigned long)run->func, mod);
	raw_spin_unlock_irq(&reclaim_lock);
	return needs;
}

void childkernel_reclaim_flush(void)
{
	u64 era;

	lock_map_acquire(&reclaim_map);
	lock_map_release(&reclaim_map);
	raw_spin_lock_irq(&reclaim_lock);
	era = reclaim_era++;
	raw_spin_unlock_irq(&reclaim_lock);
	wait_event(reclaim_gone, !reclaim_has(era));
}
EXPORT_SYMBOL_GPL(childkernel_reclaim_flush);

void childkernel_reclaim_flush_module(const struct module *mod)
{
	do {
		childkernel_reclaim_flush();
	} while (reclaim_needs(mod));
}

void childkernel_reclaim_exit(void)
{
	do {
		childkernel_reclaim_flush();
	} while (reclaim_has(U64_MAX));
	/* Waits for workers that have yet to return from reclaim_run(). */
	destroy_workqueue(reclaim_wq);
	reclaim_wq = NULL;
}

static void reclaim_run(struct work_struct *work)
{
	struct childkernel_reclaim *r =
		container_of(to_rcu_work(work), struct childkernel_reclaim, rwork);
	struct reclaim_run *run;

	lock_map_acquire(&reclaim_map);
	/* Nobody could be told that there is no memory for it. */
	run = kmalloc_obj(*run, GFP_KERNEL | __GFP_NOFAIL);
	run->worker = current;
	run->era = r->era;
	run->func = r->func;

	/* The function frees what it is listed in. */
	raw_spin_lock_irq(&reclaim_lock);
	list_del(&r->node);
	list_add(&run->node, &reclaim_running);
	raw_spin_unlock_irq(&reclaim_lock);

	run->func(r);

	raw_spin_lock_irq(&reclaim_lock);
	list_del(&run->node);
	raw_spin_unlock_irq(&reclaim_lock);
	lock_map_release(&reclaim_map);
	kfree(run);
	wake_up_all(&reclaim_gone);
}

/* Behind all of the same era; nearly always at the end, as few eras run at once. */
static void reclaim_inherit(struct childkernel_reclaim *r, u64 era)
{
	struct list_head *before;

	r->era = era;
	list_for_each_prev(before, &reclaim_inherited)
		if (list_entry(before, struct childkernel_reclaim, node)->era <= era)
			break;
	list_add(&r->node, before);
}

/* What gives away here; of a worker's runs the last one, as one that died is still listed. */
static struct reclaim_run *reclaim_current(void)
{
	struct reclaim_run *run;

	if (in_task() && current->flags & PF_WQ_WORKER)
		list_for_each_entry(run, &reclaim_running, node)
			if (run->worker == current)
				return run;
	return NULL;
}

void childkernel_reclaim(struct childkernel_reclaim *r,
			 void (*func)(struct childkernel_reclaim *r))
{
	struct reclaim_run *giver;
	unsigned long flags;

	r->func = func;
	raw_spin_lock_irqsave(&reclaim_lock, flags);
	giver = reclaim_current();
	if (giver) {
		reclaim_inherit(r, giver->era);
	} else {
		r->era = reclaim_era;
		list_add_tail(&r->node, &reclaim_waiting);
	}
	raw_spin_unlock_irqrestore(&reclaim_lock, flags);

	INIT_RCU_WORK(&r->rwork, reclaim_run);
	/* There is no queue of ours if the library is built in and its init failed. */
	queue_rcu_work(reclaim_wq ?: system_percpu_wq, &r->rwork);
}
EXPORT_SYMBOL_GPL(childkernel_reclaim);

static DEFINE_MUTEX(children_mutex);
static DEFINE_MUTEX(controlled_mutex);
static DEFINE_MUTEX(entries_mutex);
static DEFINE_MUTEX(child_directories_mutex);
static DEFINE_MUTEX(locks_mutex);
static DEFINE_MUTEX(watch_mutex);
static DEFINE_MUTEX(lock_directories_mutex);
static DEFINE_MUTEX(stats_mode_mutex);

struct mutex *childkernel_children_mutex(void)
{
	return &children_mutex;
}

struct mutex *childkernel_controlled_mutex(void)
{
	return &controlled_mutex;
}

struct mutex *childkernel_entries_mutex(void)
{
	return &entries_mutex;
}

struct mutex *childkernel_child_directories_mutex(void)
{
	return &child_directories_mutex;
}

struct mutex *childkernel_locks_mutex(void)
{
	return &locks_mutex;
}

struct mutex *childkernel_watch_mutex(void)
{
	return &watch_mutex;
}

/* Code that is built in has no directory in sysfs that an event could come from. */
void childkernel_uevent(u64 id, u32 generation, const char *name,
			const char *state, const char *end, int code)
{
#ifdef MODULE
	char words[6][64];
	char *env[ARRAY_SIZE(words) + 1] = { };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		env[i] = words[i];
	snprintf(words[0], sizeof(words[0]), "CHILD_ID=%llu", id);
	snprintf(words[1], sizeof(words[1]), "CHILD_GENERATION=%u", generation);
	snprintf(words[2], sizeof(words[2]), "CHILD_NAME=%s", name);
	snprintf(words[3], sizeof(words[3]), "CHILD_STATE=%s", state);
	snprintf(words[4], sizeof(words[4]), "CHILD_END=%s", end);
	snprintf(words[5], sizeof(words[5]), "CHILD_CODE=%d", code);
	/* Nobody may listen, and that is no error of ours. */
	kobject_uevent_env(&THIS_MODULE->mkobj.kobj, KOBJ_CHANGE, env);
#endif
}

#ifdef CONFIG_CHILDKERNEL_FAULTS
/* The processor is to find it, and not KASAN before it. */
void __no_sanitize_address childkernel_fault_null(void)
{
	WRITE_ONCE(*(int *)NULL, 0);
}
#endif

struct mutex *childkernel_lock_directories_mutex(void)
{
	return &lock_directories_mutex;
}

struct mutex *childkernel_stats_mode_mutex(void)
{
	return &stats_mode_mutex;
}

/* What locks count, as branches that are patched: see stats/mode.rs. */
struct childkernel_key childkernel_counting = { .key = STATIC_KEY_FALSE_INIT };
EXPORT_SYMBOL_GPL(childkernel_counting);

struct childkernel_key childkernel_timing = { .key = STATIC_KEY_FALSE_INIT };
EXPORT_SYMBOL_GPL(childkernel_timing);

static void set_key(struct childkernel_key *it, bool on)
{
	if (on)
		static_key_enable(&it->key.key);
	else
		static_key_disable(&it->key.key);
}

void childkernel_set_counting(bool on)
{
	set_key(&childkernel_counting, on);
}

void childkernel_set_timing(bool on)
{
	set_key(&childkernel_timing, on);
}

bool childkernel_owns(const struct module *owner, unsigned long addr)
{
	/* Built-in code stays. */
	return !owner || within_module(addr, owner);
}

bool childkernel_try_module_get(struct module *mod)
{
	return try_module_get(mod);
}

void childkernel_module_put(struct module *mod)
{
	module_put(mod);
}

bool childkernel_cpu_online(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_online(cpu);
}

int childkernel_cpulist_parse(const char *buf, struct cpumask *mask)
{
	return cpulist_parse(buf, mask);
}

void childkernel_ndelay(unsigned long ns)
{
	ndelay(ns);
}

const char *childkernel_uts_release(void)
{
	return init_utsname()->release;
}

const char *childkernel_module_name(const struct module *mod)
{
	return mod ? module_name((struct module *)mod) : "kernel";
}

/* The kernel crate knows no string parameters. */
static char *cpus = "";
module_param(cpus, charp, 0444);
MODULE_PARM_DESC(cpus, "CPUs the children are bound to in turn, as a list such as 0,2-3 (default: all online)");

static char *workload = "";
module_param(workload, charp, 0444);
MODULE_PARM_DESC(workload, "load to run: counter, record, list, handshake, pipeline, table, memory, requests or all (default: none)");

static char *primitive = "";
module_param(primitive, charp, 0444);
MODULE_PARM_DESC(primitive, "what the load uses: one or several with commas, or all; a wrong word gets a list (default: one for each load)");

static char *granularity = "";
module_param(granularity, charp, 0444);
MODULE_PARM_DESC(granularity, "locks of the table: coarse, one for all, or fine, one for each bucket (default: coarse)");

static char *stats = "times";
module_param(stats, charp, 0444);
MODULE_PARM_DESC(stats, "lock statistics: off, contended or times (default: times, 1 in 64 sampled)");

const char *childkernel_param_cpus(void)
{
	return cpus;
}

const char *childkernel_param_workload(void)
{
	return workload;
}

const char *childkernel_param_primitive(void)
{
	return primitive;
}

const char *childkernel_param_granularity(void)
{
	return granularity;
}

const char *childkernel_param_stats(void)
{
	return stats;
}

#ifdef CONFIG_CHILDKERNEL_TWINS
static char *twin = "";
module_param(twin, charp, 0444);
MODULE_PARM_DESC(twin, "break a load on purpose; a wrong word gets a list (default: none)");

const char *childkernel_param_twin(void)
{
	return twin;
}
#else
const char *childkernel_param_twin(void)
{
	return "";
}
#endif

/*
 * Rust symbols for dependants. Their C type does not matter: only the address
 * is used.
 */
#include "exports_generated.h"

/* See Kbuild: dependants of another build ask for another name. */
#include "childkernel_abi.h"
extern const char CHILDKERNEL_ABI;
const char CHILDKERNEL_ABI = 1;
EXPORT_SYMBOL_GPL(CHILDKERNEL_ABI);
